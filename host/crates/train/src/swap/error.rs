//! Why a strategy is not replaced.

use std::path::PathBuf;

/// Why a strategy is not replaced.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// No plugin was named, or more than one.
    #[error("expected one --plugin FILE, the new strategy's; found {0}")]
    Plugins(usize),
    /// Not a run directory.
    #[error("{}: no run writes or wrote here; expected the run directory of a live run, as `host fit` prints \
             it", run_dir.display())]
    NoRun {
        /// The folder.
        run_dir: PathBuf,
    },
    /// No process trains there.
    #[error(
        "{}: this run is not live, so that nothing can be replaced in it; to go on with it: host fit \
         --resume {}",
        run_dir.display(), run_dir.display()
    )]
    NotLive {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// Somebody asked before.
    #[error("{}: another swap waits for this run's next epoch; ask again when it has its \
             answer", run_dir.display())]
    Busy {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// The run did not answer in time.
    #[error(
        "the run did not come to its next epoch within {seconds} s; the request is withdrawn, the run goes \
         on as it was"
    )]
    TimedOut {
        /// The limit.
        seconds: f64,
    },
    /// The run ended first.
    #[error("{}: the run ended before its next epoch", run_dir.display())]
    Ended {
        /// The run directory.
        run_dir: PathBuf,
    },
    /// The run has several processes.
    #[error(
        "the run has {0} processes, and a strategy is replaced in a run of one alone: end it, and resume it \
             with the other one"
    )]
    Processes(usize),
    /// The asker gave up; the request is withdrawn.
    #[error("interrupted")]
    Interrupted,
    /// The run says no.
    #[error("the run refuses, and goes on as it was: {reason}")]
    Refused {
        /// Its reason.
        reason: String,
        /// That reason's exit code.
        exit_code: u8,
    },
    /// There is nothing to replace, or it has to be said what.
    #[error("{problem}; the strategies of this run are: \
             {}", if known.is_empty() { "none" } else { known.as_str() })]
    Replaced {
        /// What is wrong.
        problem: String,
        /// Ids of the run's strategies.
        known: String,
    },
    /// The plugin offers no strategy, or it has to be said which.
    #[error("{}: {problem}", plugin.display())]
    Offered {
        /// The file.
        plugin: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The configuration does not fit the new strategy.
    #[error("the configuration of the new strategy: {0}")]
    Config(String),
    /// The journal of a run that is resumed does not fit it.
    #[error("{}: {problem}", file.display())]
    Journal {
        /// The journal.
        file: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
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

impl SwapError {
    /// 2 where the asker has to ask otherwise, 1 where the run cannot do it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { exit_code, .. } => *exit_code,
            Self::Plugins(_)
            | Self::NoRun { .. }
            | Self::Replaced { .. }
            | Self::Offered { .. }
            | Self::Config(_) => 2,
            _ => 1,
        }
    }
}
