//! Why there is no answer.

use std::path::{Path, PathBuf};

use super::Topic;

/// Why a live run, or one that was thought to be live, gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// Not a run directory.
    #[error("{}: no run writes or wrote here; expected the run directory of a live run, as `host fit` prints \
             it", run_dir.display())]
    NoRun {
        /// The folder.
        run_dir: PathBuf,
    },
    /// No process trains there.
    #[error(
        "{}: this run is not live, so that nothing can be {done}; to go on with it: host fit --resume {}",
        run_dir.display(), run_dir.display()
    )]
    NotLive {
        /// The run directory.
        run_dir: PathBuf,
        /// What the topic does.
        done: &'static str,
    },
    /// Somebody asked before.
    #[error(
        "{}: another request waits for {answered_at}; ask again when it has its answer",
        run_dir.display()
    )]
    Busy {
        /// The run directory.
        run_dir: PathBuf,
        /// When that one is answered.
        answered_at: &'static str,
    },
    /// The run did not take the request in time; it is withdrawn.
    #[error(
        "the run did not come to {answered_at} within {seconds} s; the request is withdrawn, the run goes on \
         as it was"
    )]
    TimedOut {
        /// When it would have been answered.
        answered_at: &'static str,
        /// The limit.
        seconds: f64,
    },
    /// The run ended first.
    #[error("{}: the run ended before {answered_at}", run_dir.display())]
    Ended {
        /// The run directory.
        run_dir: PathBuf,
        /// When it would have been answered.
        answered_at: &'static str,
    },
    /// The asker gave up; the request is withdrawn.
    #[error("interrupted")]
    Interrupted,
    /// A file of the run directory.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl Unanswered {
    pub(super) fn no_run(run_dir: &Path) -> Self {
        Self::NoRun { run_dir: run_dir.to_path_buf() }
    }

    pub(super) fn not_live<T: Topic>(run_dir: &Path) -> Self {
        Self::NotLive { run_dir: run_dir.to_path_buf(), done: T::DONE }
    }

    pub(super) fn busy<T: Topic>(run_dir: &Path) -> Self {
        Self::Busy { run_dir: run_dir.to_path_buf(), answered_at: T::ANSWERED_AT }
    }

    pub(super) fn timed_out<T: Topic>(seconds: f64) -> Self {
        Self::TimedOut { answered_at: T::ANSWERED_AT, seconds }
    }

    pub(crate) fn ended<T: Topic>(run_dir: &Path) -> Self {
        Self::Ended { run_dir: run_dir.to_path_buf(), answered_at: T::ANSWERED_AT }
    }

    pub(super) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
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
