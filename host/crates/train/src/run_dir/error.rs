//! Why a run directory cannot be written.

use std::io;
use std::path::PathBuf;

/// Why a run directory cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum RunDirError {
    /// It holds something that is no run's, or another run's results.
    #[error("{}: the run directory holds something already; take another, or --resume it", .0.display())]
    Taken(PathBuf),
    /// Another process trains there.
    #[error(
        "{}: another run is live in this run directory (process {process}); take another one",
        path.display()
    )]
    Live {
        /// The run directory.
        path: PathBuf,
        /// The number of the process, as it wrote it.
        process: String,
    },
    /// Somebody removed it.
    #[error("{}: the run directory was removed during the run: its records are lost", .0.display())]
    Removed(PathBuf),
    /// A file of it.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A [`RunDirError`] of reading or writing `path`.
pub fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> RunDirError {
    let path = path.into();
    move |source| RunDirError::Io { path, source }
}
