//! Why a strategy is not replaced.

use std::path::PathBuf;

use crate::mailbox::Unanswered;

/// Why a strategy is not replaced.
#[derive(Debug, thiserror::Error)]
pub enum SwapError {
    /// No plugin was named, or more than one.
    #[error("expected one --plugin FILE, the new strategy's; found {0}")]
    Plugins(usize),
    /// The run does not answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The run has several processes.
    #[error(
        "the run has {0} processes, and a strategy is replaced in a run of one alone: end it, and resume it \
             with the other one"
    )]
    Processes(usize),
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
}

impl SwapError {
    /// 2 where the asker has to ask otherwise, 1 where the run cannot do it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { exit_code, .. } => *exit_code,
            Self::Unanswered(unanswered) => unanswered.exit_code(),
            Self::Plugins(_) | Self::Replaced { .. } | Self::Offered { .. } | Self::Config(_) => 2,
            _ => 1,
        }
    }
}
