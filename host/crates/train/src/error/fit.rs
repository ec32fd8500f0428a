//! What ends training.

use super::{RecordsError, ResumeError};
use thaw_optim::optimizer::OptimizerError;
use thaw_optim::scheduler::SchedulerError;
use thaw_plugins::Failure;
use thaw_torch::memory::Memory;

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
        "the loss is {loss} at epoch {}, batch {}: lower the learning rate, clip gradients \
         (gradient_clip_val), or set trainer.detect_anomaly = false",
        .epoch + 1, .batch + 1
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
        "val_loss is {loss} in epoch {}: look for NaN in the validation data, lower the learning rate, clip \
         gradients (gradient_clip_val), or set trainer.detect_anomaly = false",
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
        "the norm of the gradients is {norm} at epoch {}, batch {}: lower the learning rate, or set \
         trainer.detect_anomaly = false",
        .epoch + 1, .batch + 1
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
        "weights or buffers are not finite after {step} steps: {tensors}; no checkpoint of them is kept. \
         Lower the learning rate, clip gradients (gradient_clip_val), or set trainer.detect_anomaly = false"
    )]
    NotFiniteWeights {
        /// Their names.
        tensors: String,
        /// Optimizer steps until then.
        step: usize,
    },
    /// The run config asks for a cache that cannot be.
    #[error(
        "trainer.frozen_cache = \"on\", but the frozen stages cannot be computed once: {reason}. \
         With \"auto\" the run goes on without"
    )]
    FrozenCache {
        /// Why not.
        reason: String,
    },
    /// What was computed once, was so with other values.
    #[error(
        "{tensors}, past libtorch's count of writes (`.data`, a raw pointer), so that this epoch's batches \
         came from a frozen cache that no longer held. Write with `no_grad` and an operation in place, or \
         set trainer.frozen_cache = \"off\""
    )]
    FrozenCacheStale {
        /// Which.
        tensors: String,
    },
    /// The last batch of an epoch is too small for the model.
    #[error("{}", leftover_text(*.samples, [*.batch_size, *.processes], *.epoch, .reason, .remedy))]
    LeftoverBatch {
        /// Samples of training.
        samples: usize,
        /// Samples of a batch.
        batch_size: usize,
        /// Processes that have a share of it.
        processes: usize,
        /// The first epoch that would fail, from 1.
        epoch: usize,
        /// The model's words.
        reason: String,
        /// What to write instead.
        remedy: String,
    },
    /// The last batch of validation is too small for a model that stays in training mode.
    #[error(
        "{samples} validation samples in batches of {batch_size} leave a single sample, which the model does \
         not take, since modules of it stay in training mode: {reason}. Set another val_batch_size in [data]"
    )]
    LeftoverValidation {
        /// Samples of validation.
        samples: usize,
        /// Samples of a batch.
        batch_size: usize,
        /// The model's words.
        reason: String,
    },
    /// What the run ends with is not on disk.
    #[error("{}", lost_text(.lost, .on_disk.as_deref()))]
    LostCheckpoints {
        /// Checkpoints with the reason why they could not be written.
        lost: Vec<(String, String)>,
        /// The last checkpoint that was written.
        on_disk: Option<String>,
    },
    /// The run is complete but for its records.
    #[error("{}", lost_records_text(.lost, .on_disk.as_deref()))]
    LostRecords {
        /// What is lost, with the reason.
        lost: Vec<String>,
        /// The last checkpoint.
        on_disk: Option<String>,
    },
    /// The device, or the machine, has no memory left.
    #[error("{}", memory_text(*.samples, .device, .used, .message))]
    OutOfMemory {
        /// Samples of the batch.
        samples: usize,
        /// The device.
        device: String,
        /// What tensors took of it, where that is known.
        used: Option<Memory>,
        /// libtorch's words.
        message: String,
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
    /// An observer without which the run means nothing.
    #[error("observer `{name}`: {source}")]
    Observer {
        /// Its name.
        name: String,
        /// What failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Records of the run directory.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Copies of the model's tensors that hooks asked for.
    #[error("tensor sets: {0}")]
    TensorSets(String),
    /// libtorch.
    #[error("{what}: {message}")]
    Torch {
        /// What was done.
        what: &'static str,
        /// libtorch's words.
        message: String,
    },
}

fn leftover_text(
    samples: usize,
    [batch_size, processes]: [usize; 2],
    epoch: usize,
    reason: &str,
    remedy: &str,
) -> String {
    let what = match batch_size {
        _ if processes > 1 => format!(
            "the last batch of every epoch leaves one of {processes} processes a single sample ({samples} in \
             batches of {batch_size})"
        ),
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

fn lost_records_text(lost: &[String], on_disk: Option<&str>) -> String {
    let checkpoints = match on_disk {
        Some(name) => format!("; the checkpoints are whole, the last is `{name}`"),
        None => String::new(),
    };
    format!("records are not written: {}{checkpoints}", lost.join("; "))
}

fn memory_text(samples: usize, device: &str, used: &Option<Memory>, message: &str) -> String {
    const GIB: f64 = (1_u64 << 30) as f64;
    let used = used.map_or(String::new(), |used| {
        let [peak, total] = [used.peak, used.total].map(|bytes| bytes as f64 / GIB);
        format!(" (tensors took at most {peak:.2} of its {total:.2} GiB)")
    });
    // What follows is advice for programs in Python.
    let end = message.find(" If reserved but").unwrap_or(message.len());
    format!(
        "{device} has no memory left{used} for a batch of {samples} samples. Set data.batch_size lower, with \
         trainer.accumulate_grad_batches so much higher that steps stay the same; or trainer.precision = \
         \"bf16-mixed\"; or train fewer layers. {}",
        &message[..end]
    )
}

fn audit_text(findings: &[String]) -> String {
    format!(
        "freeze state and groups disagree (trainer.audit = \"warn\" goes on all the same):\n  {}",
        findings.join("\n  ")
    )
}

/// What tensor sets fail with.
pub fn tensor_sets(error: thaw_plugin_api::Error) -> FitError {
    FitError::TensorSets(error.to_string())
}

/// A libtorch error with what was done.
pub fn torch(what: &'static str) -> impl FnOnce(tch::TchError) -> FitError {
    move |error| FitError::Torch { what, message: thaw_torch::short_message(&error.to_string()).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_memory_left_names_batch_device_peak_and_three_things_to_do() {
        let used = Some(Memory { peak: 77 << 30, now: 0, free: 0, total: 79 << 30 });
        let message =
            "CUDA out of memory. Tried to allocate 2.00 GiB. If reserved but unallocated memory is large";
        let error = FitError::OutOfMemory {
            samples: 64,
            device: "cuda:0".to_owned(),
            used,
            message: message.to_owned(),
        };
        let text = error.to_string();
        for part in [
            "cuda:0 has no memory left (tensors took at most 77.00 of its 79.00 GiB) for a batch of 64 \
             samples",
            "data.batch_size lower",
            "trainer.precision = \"bf16-mixed\"",
            "train fewer layers. CUDA out of memory. Tried to allocate 2.00 GiB.",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(text.ends_with("2.00 GiB."), "{text}");
    }
}
