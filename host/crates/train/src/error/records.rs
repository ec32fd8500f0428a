//! Why records of a run directory are not written.

use std::io;
use std::path::PathBuf;

use serde_json::Value;

/// Why records are not written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The file cannot be opened or cut.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is shorter than the checkpoint says: somebody wrote into it.
    #[error(
        "{}: it ends after {found} bytes, and had {expected} when the checkpoint was written; remove it to \
         go on without those records",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// Its length when the checkpoint was written.
        expected: u64,
    },
    /// What the checkpoint keeps of it is no length.
    #[error("{}: the checkpoint has {found} for its length, expected a number of bytes", path.display())]
    Saved {
        /// The file.
        path: PathBuf,
        /// What the checkpoint has.
        found: Value,
    },
    /// Somebody removed the file.
    #[error(
        "{}: it was removed during the run, and its records are lost",
        path.display()
    )]
    Removed {
        /// The file.
        path: PathBuf,
    },
    /// Records do not go into the file.
    #[error("{}: {source}", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
