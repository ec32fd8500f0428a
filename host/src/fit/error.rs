//! What ends training.

use super::resume::ResumeError;
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
    /// The loss of a validation is not finite.
    #[error(
        "val_loss is {loss} in epoch {}: look for NaN in the validation data, lower the learning rate, clip gradients \
         (gradient_clip_val), or set trainer.detect_anomaly = false",
        .epoch + 1
    )]
    NotFiniteValidation {
        /// The loss.
        loss: f64,
        /// The epoch.
        epoch: usize,
    },
    /// Gradients are not finite.
    #[error(
        "the norm of the gradients is {norm} at epoch {epoch}, batch {batch}: lower the learning rate, or set \
         trainer.detect_anomaly = false"
    )]
    NotFiniteGradient {
        /// The norm.
        norm: f64,
        /// The epoch.
        epoch: usize,
        /// The batch of the epoch.
        batch: usize,
    },
    /// The model is not finite.
    #[error(
        "weights or buffers are not finite after {step} steps: {tensors}; no checkpoint of them is kept. Lower the learning rate, \
         clip gradients (gradient_clip_val), or set trainer.detect_anomaly = false"
    )]
    NotFiniteWeights {
        /// Their names.
        tensors: String,
        /// Optimizer steps until then.
        step: usize,
    },
    /// The last batch of an epoch is too small for the model.
    #[error("{}", leftover_text(*.samples, *.batch_size, *.epoch, .reason, .remedy))]
    LeftoverBatch {
        /// Samples of training.
        samples: usize,
        /// Samples of a batch.
        batch_size: usize,
        /// The first epoch that would fail, from 1.
        epoch: usize,
        /// The model's words.
        reason: String,
        /// What to write instead.
        remedy: String,
    },
    /// What the run ends with is not on disk.
    #[error("{}", lost_text(.lost, .on_disk.as_deref()))]
    LostCheckpoints {
        /// Checkpoints with the reason why they could not be written.
        lost: Vec<(String, String)>,
        /// The last checkpoint that was written.
        on_disk: Option<String>,
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
    /// What the run was to be resumed with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// libtorch.
    #[error("{what}: {message}")]
    Torch {
        /// What was done.
        what: &'static str,
        /// libtorch's words.
        message: String,
    },
}

fn leftover_text(samples: usize, batch_size: usize, epoch: usize, reason: &str, remedy: &str) -> String {
    let what = match batch_size {
        1 => "every batch has a single sample (batch_size = 1)".to_owned(),
        _ => format!(
            "the last batch of every epoch has a single sample ({samples} in batches of {batch_size})"
        ),
    };
    format!("{what}, and from epoch {epoch} on the model cannot train on that: {reason}; {remedy}")
}

fn lost_text(lost: &[(String, String)], on_disk: Option<&str>) -> String {
    // `best` is missing for the same reason as `last`, mostly: it is said once.
    let is_first = |index: usize| !lost[..index].iter().any(|(_, reason)| *reason == lost[index].1);
    let of_reason = |reason: &str| {
        let names = lost.iter().filter(|(_, other)| other == reason).map(|(name, _)| format!("`{name}`"));
        format!("checkpoint {} is not written: {reason}", names.collect::<Vec<_>>().join(", "))
    };
    let firsts = (0..lost.len()).filter(|index| is_first(*index));
    let lost: Vec<String> = firsts.map(|index| of_reason(&lost[index].1)).collect();
    let on_disk = match on_disk {
        Some(name) => format!("on disk is `{name}`: what was trained after it is lost"),
        None => "no checkpoint is on disk: what was trained is lost".to_owned(),
    };
    format!("{}; {on_disk}", lost.join("; "))
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
