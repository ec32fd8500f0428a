//! Why a run does not do what it is asked for.

use std::path::{Path, PathBuf};

use crate::mailbox::Unanswered;

/// Why a run does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Not a run directory.
    #[error("{}: no run writes or wrote here; expected the run directory of a live run, as `host fit` prints \
             it", run_dir.display())]
    NoRun {
        /// The folder.
        run_dir: PathBuf,
    },
    /// No process trains there.
    #[error(
        "{}: this run is not live, so that nothing can be asked of it; to go on with it: host fit \
         --resume {}",
        run_dir.display(), run_dir.display()
    )]
    NotLive {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// Somebody asked before.
    #[error("{}: another request waits for the end of this run's batch; ask again", run_dir.display())]
    Busy {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// The run did not look in time.
    #[error(
        "the run did not come to the end of a batch within {seconds} s; the request is withdrawn, the run \
         goes on as it was"
    )]
    TimedOut {
        /// The limit.
        seconds: f64,
    },
    /// The run ended first.
    #[error("{}: the run ended before it answered", run_dir.display())]
    Ended {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// The asker gave up; the request is withdrawn.
    #[error("interrupted")]
    Interrupted,
    /// The run says no.
    #[error("the run refuses, and goes on as it was: {reason}")]
    Refused {
        /// Its reason.
        reason: String,
    },
    /// A file of the run directory.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl AskError {
    pub(super) fn of(run_dir: &Path, unanswered: Unanswered) -> Self {
        let run_dir = run_dir.to_path_buf();
        match unanswered {
            Unanswered::NoRun => Self::NoRun { run_dir },
            Unanswered::NotLive => Self::NotLive { run_dir },
            Unanswered::Busy => Self::Busy { run_dir },
            Unanswered::TimedOut { seconds } => Self::TimedOut { seconds },
            Unanswered::Ended => Self::Ended { run_dir },
            Unanswered::Interrupted => Self::Interrupted,
            Unanswered::Io { path, source } => Self::Io { path, source },
        }
    }

    /// 2 where there is no run, 130 where the user gave up, 1 else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NoRun { .. } => 2,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}
