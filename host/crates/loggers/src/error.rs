//! Why a logger does not log.

use std::io;
use std::path::{Path, PathBuf};

/// A logger that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LoggerError {
    /// A file or folder cannot be written or read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is another run's.
    #[error(
        "{}: it is there already, of another run; remove it, or take another `path` in [[loggers]]",
        path.display()
    )]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// An MLflow logger without a server.
    #[error(
        "no `tracking_uri` in [[loggers]] of kind `mlflow`, and no MLFLOW_TRACKING_URI in the environment"
    )]
    NoTrackingUri,
    /// There is nothing to send.
    #[error("{}: this run did not log to MLflow", path.display())]
    NotLogged {
        /// The run directory.
        path: PathBuf,
    },
    /// A server does not take what it is sent.
    #[error("{source}; what it has not taken is kept")]
    Server {
        /// Address, and what the server said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is no CSV of metrics.
    #[error("{}: {reason}, expected the metrics of this run; remove the file to begin anew", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// An I/O error with the path that it is about.
pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> LoggerError {
    let path = path.to_path_buf();
    move |source| LoggerError::Io { path, source }
}
