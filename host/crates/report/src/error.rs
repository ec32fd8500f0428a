//! Why there is no report.

use std::io;
use std::path::PathBuf;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder is not one that a run writes into.
    #[error(
        "{}: {problem}; expected a run directory, as `host fit` writes it, with config.toml and \
         metrics.jsonl", path.display()
    )]
    NoRun {
        /// The file that says so.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A file of the run cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file of the run holds something else than the run wrote.
    #[error("{}: {problem}, expected {expected}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        problem: String,
        /// What the file should hold.
        expected: &'static str,
    },
    /// The report cannot be written.
    #[error("{}: the report cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
