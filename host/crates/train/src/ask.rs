//! Asking a live run to stop after its epoch, to write a checkpoint, or to validate.
//!
//! A stop and a checkpoint change nothing that the run computes. A validation is one more: callbacks that
//! count validations, as early stopping does, count it. All three are in `history.jsonl`; a run that goes on
//! from a checkpoint before the request does not repeat it.

mod error;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::AskError;

use crate::mailbox::{Topic, Unanswered, post, post_and_wait, token};
use crate::run_dir::letters;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// To end after the present epoch, as a run that is done.
    Stop {
        /// Why, for its records.
        reason: String,
    },
    /// To write a checkpoint after the present step, and to keep it.
    Checkpoint {
        /// Its name; by default `asked-epoch=E-step=S`.
        name: Option<String>,
    },
    /// To validate after the present batch.
    Validate,
}

impl Ask {
    /// `stop`, `checkpoint`, `validate`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stop { .. } => "stop",
            Self::Checkpoint { .. } => "checkpoint",
            Self::Validate => "validate",
        }
    }
}

/// A request as it lies in the run directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskRequest {
    /// Tells it from others; none where nobody waits for an answer.
    #[serde(default)]
    pub token: Option<String>,
    /// What is asked for.
    pub ask: Ask,
}

/// What the run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskAnswer {
    /// It ends after this epoch, from 0, or as soon after it as `min_epochs` and `min_steps` let it.
    Stops {
        /// The epoch.
        epoch: usize,
    },
    /// The checkpoint is on disk.
    Written {
        /// Its name.
        name: String,
    },
    /// It has validated.
    Validated {
        /// What the validation gave, by name; none for what is no number.
        metrics: BTreeMap<String, Option<f64>>,
    },
    /// It goes on as it was.
    Refused {
        /// Why.
        reason: String,
    },
}

/// Requests of this kind.
pub struct Asks;

impl Topic for Asks {
    const NAME: &'static str = letters::ASK;
    const DONE: &'static str = "asked of it";
    const ANSWERED_AT: &'static str = "the end of a batch";
    type Request = AskRequest;
    type Answer = AskAnswer;

    fn token(request: &AskRequest) -> Option<&str> {
        request.token.as_deref()
    }
}

/// Asks a live run and waits for its answer, which comes after its present batch, of a stop at once.
///
/// # Errors
/// The run is not live or ends, refuses, or `timeout` passes or `is_interrupted` says so: the request is then
/// withdrawn.
pub fn ask(
    run_dir: &Path,
    ask: Ask,
    timeout: Option<Duration>,
    asked: impl FnOnce(&str),
    is_interrupted: impl Fn() -> bool,
) -> Result<AskAnswer, AskError> {
    let request = AskRequest { token: Some(token()), ask };
    match post_and_wait::<Asks>(run_dir, &request, timeout, asked, is_interrupted) {
        Ok(AskAnswer::Refused { reason }) => Err(AskError::Refused { reason }),
        Ok(answer) => Ok(answer),
        Err(unanswered) => Err(unanswered.into()),
    }
}

/// Asks a live run and waits for nothing. False where another request waits that it has not looked at yet:
/// ask again.
///
/// # Errors
/// The run is not live, or the request cannot be written.
pub fn ask_without_waiting(run_dir: &Path, ask: Ask) -> Result<bool, AskError> {
    match post::<Asks>(run_dir, &AskRequest { token: None, ask }) {
        Ok(_) => Ok(true),
        Err(Unanswered::Busy { .. }) => Ok(false),
        Err(unanswered) => Err(unanswered.into()),
    }
}
