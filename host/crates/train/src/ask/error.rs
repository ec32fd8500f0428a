//! Why a run does not do what it is asked for.

use crate::mailbox::Unanswered;

/// Why a run does not do what it is asked for.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It does not answer.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The run says no.
    #[error("the run refuses, and goes on as it was: {reason}")]
    Refused {
        /// Its reason.
        reason: String,
    },
}

impl AskError {
    /// 2 where there is no run, 130 where the user gave up, 1 else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Unanswered(unanswered) => unanswered.exit_code(),
            Self::Refused { .. } => 1,
        }
    }
}
