//! Every key that a case's files may hold. A key that is not here is an error: what was recorded and is
//! compared with nothing would pass for agreement.

use anyhow::{Result, bail};
use serde_json::Value;

/// The keys of one kind of record.
pub struct Keys {
    record: &'static str,
    /// Compared with what the program gave, or followed in making it.
    used: &'static [&'static str],
    /// Compared with nothing; why, stands beside each.
    left: &'static [&'static str],
}

/// `case.json` of kind `training`.
pub const TRAINING: Keys = Keys {
    record: "case.json",
    used: &[
        "case",
        "kind",
        "model",
        "modules",
        "loss",
        "optimizer",
        "scheduler",
        "strategy",
        "epochs",
        "batch_size",
        "batches_per_epoch",
        "shuffle",
        "val_batch_size",
        "accumulate_grad_batches",
        "gradient_clip_val",
        "gradient_clip_algorithm",
        "precision",
        "seed",
        "resume_after_epochs",
        "files",
        "tolerances",
    ],
    left: &[
        // For readers.
        "about",
        "notes",
        "reference",
        // How the files were made that are read: `files.truth`, `init.safetensors`, `data.safetensors`.
        "expectation",
        "filter_diverges",
        "batch_norm_init",
        "samples",
        "val_samples",
        "last_batch_size",
        // `model.kind` in words.
        "forward",
        // What the tolerances were made of.
        "rounding",
        "zero_gradient_biases",
        // Of Lightning: whether it resumes well. The program has to, whatever this says.
        "resumed_equals_straight",
    ],
};

/// `case.json` of kind `functions`.
pub const FUNCTIONS: Keys = Keys {
    record: "case.json",
    used: &["case", "kind", "model", "modules", "seed"],
    left: &[
        // For readers.
        "about",
        "notes",
        "reference",
        // Each sequence has its own, which is followed.
        "expectation",
        "filter_diverges",
        // Those of `modules`: results of calls name them.
        "parameters",
    ],
};

/// `files` in `case.json`.
pub const FILES: Keys = Keys {
    record: "`files` in case.json",
    used: &["truth", "checkpoint_state"],
    // Where Lightning departs from what it means to do: the truth is another file.
    left: &["record_only"],
};

/// `tolerances` in `case.json`.
pub const TOLERANCES: Keys =
    Keys::all_used("`tolerances` in case.json", &["loss", "val_loss", "grad_norm", "state", "overrides"]);

/// A trace of a training case.
pub const TRACE: Keys = Keys {
    record: "the trace",
    used: &["case", "epochs", "final_groups"],
    // Which of the traces it is: `files.truth` chooses.
    left: &["run", "filter"],
};

/// An epoch of a trace.
pub const EPOCH: Keys = Keys::all_used(
    "an epoch of the trace",
    &[
        "epoch",
        "groups",
        "requires_grad",
        "batch_norm",
        "callback",
        "filter_calls",
        "steps",
        "val_loss",
        "lr_at_end",
        "l2_at_end",
    ],
);

/// A step of an epoch.
pub const STEP: Keys = Keys::all_used("a step of the trace", &["lr", "loss", "stepped", "grad_norm"]);

/// A parameter group at the start of an epoch, or after a call.
pub const GROUP: Keys = Keys::all_used("a group of the trace", &["lr", "weight_decay", "params"]);

/// A parameter group as it joined.
pub const FINAL_GROUP: Keys = Keys::all_used("a group of `final_groups`", &["lr", "params"]);

/// A batch norm's flags.
pub const BATCH_NORM: Keys =
    Keys::all_used("a batch norm of the trace", &["training", "track_running_stats", "num_batches_tracked"]);

/// What the strategy remembers.
pub const CALLBACK: Keys = Keys::all_used("`callback` in the trace", &["previous_backbone_lr"]);

/// A call of `filter_on_optimizer`.
pub const FILTER_CALL: Keys = Keys {
    record: "a call in `filter_calls`",
    used: &["dropped_by_identity"],
    // Lightning's filter; where it drops others than identity would, the truth is the identity trace.
    left: &["dropped_by_value"],
};

/// The trace of a case of kind `functions`.
pub const SEQUENCES: Keys = Keys::all_used("trace.json", &["case", "sequences"]);

/// A sequence of calls.
pub const SEQUENCE: Keys = Keys::all_used("a sequence", &["name", "expectation", "steps", "steps_identity"]);

/// A call of a sequence; an `optimizer`'s further keys are the program's to know.
pub const CALL: Keys = Keys::all_used(
    "a call",
    &["call", "targets", "train_bn", "requires_grad", "lr", "initial_denom_lr", "result"],
);

/// What a call gave.
pub const RESULT: Keys = Keys::all_used(
    "the result of a call",
    &[
        "count",
        "modules",
        "params",
        "requires_grad",
        "track_running_stats",
        "batch_norm_training",
        "groups",
        "filter_calls",
    ],
);

/// `schedulers.json`.
pub const SCHEDULERS: Keys = Keys {
    record: "schedulers.json",
    used: &["epochs", "batches_per_epoch", "schedulers"],
    // For readers.
    left: &["about", "reference"],
};

/// A schedule of `schedulers.json`.
pub const SCHEDULER: Keys = Keys::all_used(
    "a schedule",
    &[
        "name",
        "scheduler",
        "optimizer",
        "accumulate_grad_batches",
        "metric_per_epoch",
        "lr",
        "lr_at_epoch_end",
        "momentum",
        "added_group",
    ],
);

/// The schedule's rates with a group that joins.
pub const ADDED_GROUP: Keys = Keys::all_used("`added_group` of a schedule", &["lr", "error"]);

impl Keys {
    /// A record of which nothing is left.
    const fn all_used(record: &'static str, used: &'static [&'static str]) -> Self {
        Self { record, used, left: &[] }
    }

    /// Refuses a record with another key.
    pub fn check(&self, record: &Value) -> Result<()> {
        let known = |key: &str| self.used.contains(&key) || self.left.contains(&key);
        match record.as_object().into_iter().flatten().find(|(key, _)| !known(key)) {
            None => Ok(()),
            Some((key, value)) => {
                bail!("{} has `{key}` ({value}), which is compared with nothing here", self.record)
            }
        }
    }

    /// Refuses a list that has such a record.
    pub fn check_each<'v>(&self, records: impl IntoIterator<Item = &'v Value>) -> Result<()> {
        records.into_iter().try_for_each(|record| self.check(record))
    }
}
