//! What ends training.

use crate::optimizer::OptimizerError;
use crate::plugins::Failure;
use crate::scheduler::SchedulerError;

/// What ends training.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// A plugin failed.
    #[error(transparent)]
    Plugin(#[from] Failure),
    /// The run config asks for what cannot be.
    #[error("{0}")]
    Config(String),
    /// The loss is not finite.
    #[error(
        "the loss is {loss} at epoch {epoch}, batch {batch}: lower the learning rate, clip gradients (gradient_clip_val), or set \
         trainer.detect_anomaly = false"
    )]
    NotFinite {
        /// The loss.
        loss: f64,
        /// The epoch.
        epoch: usize,
        /// The batch of the epoch.
        batch: usize,
    },
    /// Nothing trains.
    #[error("no parameter trains: {reason}")]
    NothingTrains {
        /// Why.
        reason: String,
    },
    /// Freeze state and groups disagree.
    #[error("{}", audit_text(.0))]
    Audit(Vec<String>),
    /// The data has no batch.
    #[error("the training data has no batch: {0}")]
    NoBatches(String),
    /// The optimizer.
    #[error(transparent)]
    Optimizer(#[from] OptimizerError),
    /// The scheduler.
    #[error(transparent)]
    Scheduler(#[from] SchedulerError),
    /// libtorch.
    #[error("{what}: {message}")]
    Torch {
        /// What was done.
        what: &'static str,
        /// libtorch's words.
        message: String,
    },
}

fn audit_text(findings: &[String]) -> String {
    format!(
        "freeze state and groups disagree (trainer.audit = \"warn\" goes on all the same):\n  {}",
        findings.join("\n  ")
    )
}

/// A libtorch error with what was done.
pub fn torch(what: &'static str) -> impl FnOnce(tch::TchError) -> FitError {
    move |error| FitError::Torch { what, message: crate::torch::short_message(&error.to_string()).to_owned() }
}
