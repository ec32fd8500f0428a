//! What a hook asks of the host, as it crosses the boundary: an operation's name and a payload in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{CheckpointName, Services};
use crate::error::{Error, Result};
use crate::module_tree::ModuleTree;
use crate::optimizer::Optimizer;
use crate::tensor_sets::SetAction;

/// What a hook asks of the host. [`Context`](super::Context) sends these, a host reads them with
/// [`Request::parse`].
///
/// Names and keys are part of the ABI: append, never rename.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", content = "payload", rename_all = "kebab-case")]
pub enum Request {
    /// The module tree: answered with a [`ModuleTree`].
    Model,
    /// The groups: answered with an [`Optimizer`], or an error where there is none yet.
    Optimizer,
    /// The latest value of every metric: a table of numbers, written by [`number_to_json`].
    Metrics,
    /// The last batch's loss, written by [`number_to_json`]; null before the first one.
    Loss,
    /// Why the run ends; null in other hooks than `on_exception`.
    Exception,
    /// Logs a metric.
    Log {
        /// Its name.
        name: String,
        /// Its value.
        #[serde(with = "number")]
        value: f64,
    },
    /// Stops the run.
    Stop {
        /// Why.
        reason: String,
    },
    /// Writes a checkpoint.
    SaveCheckpoint {
        /// Its name.
        name: CheckpointName,
    },
    /// Runs a validation.
    Validate,
    /// Puts weights and buffers of a checkpoint back, at once.
    RestoreWeights {
        /// Its name.
        checkpoint: String,
        /// Whether the optimizer's state goes back with them.
        #[serde(default)]
        optimizer: bool,
    },
    /// Sets a group's rate, at once: the cheap way for rates that change at every step.
    SetLr {
        /// The group's name.
        group: String,
        /// Its rate.
        lr: f64,
    },
    /// Takes over freeze state and groups.
    Apply {
        /// The tree, where it was changed.
        model: Option<ModuleTree>,
        /// The groups, where they were changed.
        optimizer: Option<Optimizer>,
    },
    /// Starts the scheduler anew, when the hook has returned.
    RestartScheduler {
        /// A `[scheduler]` table; without it the run config's own settings.
        settings: Option<Value>,
        /// Epoch that a schedule over the whole length ends before; without it the run's last one.
        until_epoch: Option<usize>,
        /// Optimizer step that such a schedule ends at, where that comes first.
        until_step: Option<usize>,
    },
    /// Checks settings that are to be used later.
    CheckSettings {
        /// A `[scheduler]` table.
        scheduler: Option<Value>,
        /// Options of a parameter group.
        options: Option<BTreeMap<String, f64>>,
        /// Id of the optimizer that they are of; without it the run's.
        #[serde(default)]
        optimizer: Option<String>,
    },
    /// Says in a plan what cannot be known before the run.
    Note {
        /// What.
        text: String,
    },
    /// Puts another optimizer in the place of the run's, at once. Its state starts empty; groups stay.
    ReplaceOptimizer {
        /// `sgd`, `adam`, `adamw`, ….
        id: String,
        /// Its options, by the names of a group's.
        options: BTreeMap<String, f64>,
    },
    /// Which libtorch the host has: answered with [`TorchVersions`](crate::abi::TorchVersions).
    Libtorch,
    /// Says that a metric is going to be looked at.
    Monitor {
        /// The metric.
        metric: String,
        /// The key of the run config that names it.
        key: String,
    },
    /// Does something with a tensor set: answered with a [`SetState`](crate::tensor_sets::SetState).
    TensorSet {
        /// Its name.
        name: String,
        /// What.
        action: SetAction,
    },
    /// What the samples of the batch of validation that is done are called: answered with a list of texts.
    BatchSamples,
    /// Numbers of that batch: answered with [`Numbers`](super::Numbers), of no shape without targets.
    BatchNumbers {
        /// [`OUTPUTS`](super::OUTPUTS), with `/` and a name another output, or [`TARGETS`](super::TARGETS).
        name: String,
    },
    /// Makes the statistics of batch norms anew from the training data, before checkpoints that hooks ask
    /// for.
    UpdateBatchNorms,
}

const OPERATIONS: [&str; 22] = [
    "model",
    "optimizer",
    "metrics",
    "loss",
    "exception",
    "log",
    "stop",
    "save-checkpoint",
    "validate",
    "restore-weights",
    "set-lr",
    "apply",
    "restart-scheduler",
    "check-settings",
    "note",
    "replace-optimizer",
    "libtorch",
    "monitor",
    "tensor-set",
    "batch-samples",
    "batch-numbers",
    "update-batch-norms",
];

impl Request {
    /// Reads what crossed the boundary.
    ///
    /// # Errors
    /// An operation that this version does not know, or a payload that does not fit it.
    pub fn parse(operation: &str, payload: Value) -> Result<Self> {
        if !OPERATIONS.contains(&operation) {
            return Err(super::unknown_operation(operation));
        }
        serde_json::from_value(json!({ "operation": operation, "payload": payload })).map_err(|error| {
            Error::new(format_args!("the payload of operation `{operation}` does not fit: {error}"))
        })
    }

    /// Sends it to a host.
    ///
    /// # Errors
    /// The host's.
    pub fn send(&self, services: &mut dyn Services) -> Result<Value> {
        let mut table: Map<String, Value> = serde_json::from_value(serde_json::to_value(self)?)?;
        let payload = table.remove("payload").unwrap_or_default();
        let operation = table.get("operation").and_then(Value::as_str).unwrap_or_default();
        services.request(operation, payload)
    }
}

/// A number as JSON; infinities and NaN, which JSON does not have, as text.
pub fn number_to_json(number: f64) -> Value {
    if number.is_finite() { json!(number) } else { json!(number.to_string()) }
}

/// The number that [`number_to_json`] wrote; `None` for anything else.
pub fn number_from_json(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

pub(crate) mod number {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use serde_json::Value;

    pub fn serialize<S: Serializer>(number: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        super::number_to_json(*number).serialize(serializer)
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<f64, D::Error> {
        let value = Value::deserialize(deserializer)?;
        super::number_from_json(&value)
            .ok_or_else(|| D::Error::custom(format_args!("expected a number, found {value}")))
    }
}
