//! Why there is no sweep, or no whole one.

use std::io;
use std::path::PathBuf;

/// Why there is no sweep, or no whole one.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// The sweep's folder holds something.
    #[error("{}: the folder holds something already; take another, or go on with: host sweep --resume {}",
        .0.display(), .0.display())]
    Taken(PathBuf),
    /// There is no plan in it.
    #[error("{}: there is no sweep in it; expected a folder as `host sweep` makes it, with sweep.json",
        .0.display())]
    NoSweep(PathBuf),
    /// Another process works at it.
    #[error("{}: another process works at this sweep; wait for its end", .0.display())]
    Busy(PathBuf),
    /// The plan is none.
    #[error("{}: {problem}; expected the plan of a sweep, as `host sweep` writes it", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The run config is another than the one that the sweep began with.
    #[error(
        "{}: the run config has changed since this sweep began, so that its trials could not be compared; \
         put back what it was, or begin a new sweep", .0.display()
    )]
    Changed(PathBuf),
    /// A file or a process.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Some trials have no result.
    #[error(
        "{} of {trials} trials failed: {}; to try them again, and keep those that are done: host sweep \
         --resume {}",
        failed.len(), failed.join(", "), dir.display()
    )]
    Failed {
        /// Names of those that failed.
        failed: Vec<String>,
        /// How many there are.
        trials: usize,
        /// The sweep's folder.
        dir: PathBuf,
        /// Their exit code, where it is the same for all of them, else 1.
        exit_code: u8,
    },
}

impl SweepError {
    /// 2 for what has to be called otherwise, the trials' own where they failed, 1 else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Taken(_) | Self::NoSweep(_) | Self::Changed(_) => 2,
            Self::Failed { exit_code, .. } => *exit_code,
            Self::Busy(_) | Self::Damaged { .. } | Self::Io { .. } => 1,
        }
    }
}

/// A [`SweepError`] of `path`.
pub(super) fn at(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> SweepError {
    let path = path.into();
    move |source| SweepError::Io { path, source }
}
