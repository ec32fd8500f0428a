//! What a fake run writes down.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::Message;
use crate::context::number_to_json;
use crate::module_tree::ModuleTree;
use crate::optimizer::ParamGroup;

/// All that happened in a fake run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The epochs, in order; after a resumption only those since.
    pub epochs: Vec<EpochRecord>,
    /// Hooks and requests, in order.
    pub events: Vec<Event>,
    /// Why somebody asked the run to stop.
    pub stopped: Option<String>,
    /// What plugins said through `tracing`.
    pub messages: Vec<Message>,
}

/// One epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// The groups after the epoch's first hooks.
    pub groups: Vec<ParamGroup>,
    /// Modules, freeze state and modes after the epoch's first hooks.
    pub tree: ModuleTree,
    /// State of every strategy and callback after the epoch's first hooks, by id: what a checkpoint would
    /// hold.
    pub states: BTreeMap<String, Value>,
    /// The batches.
    pub steps: Vec<StepRecord>,
    /// Metrics that plugins logged, in order.
    pub logged: Vec<(String, f64)>,
    /// Every metric at the end of the epoch.
    pub metrics: BTreeMap<String, f64>,
    /// The sum of the values of each tensor that hooks asked for, in every validation, when its first hooks
    /// have run, and at the end of the epoch: what a run would evaluate, and save.
    pub values: Vec<Vec<(String, f64)>>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRecord {
    /// The batch's loss.
    pub loss: f64,
    /// Whether the optimizer stepped after it.
    pub stepped: bool,
    /// Rate of every group, by position, as the step used it.
    pub lr: Vec<f64>,
}

/// What happened, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps so far.
    pub global_step: usize,
    /// A hook's name; for what a plugin asked for, the operation and what it is about: `save-checkpoint
    /// best`.
    pub what: String,
}

/// How a batch norm behaves in training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchNormFlags {
    /// Whether it is in training mode: batch statistics normalise.
    pub training: bool,
    /// Whether training updates the stored statistics.
    pub track_running_stats: bool,
    /// Whether weight and bias train.
    pub requires_grad: bool,
}

impl EpochRecord {
    /// The first thing in which another record differs from this one, the expected one.
    pub(super) fn difference(&self, found: &Self) -> Option<String> {
        fn json(value: impl Serialize) -> Value {
            serde_json::to_value(value).unwrap_or_default()
        }
        let numbers = |metrics: &[(String, f64)]| {
            metrics.iter().map(|(name, value)| json!({ name: number_to_json(*value) })).collect::<Value>()
        };
        let metrics = |record: &Self| {
            record
                .metrics
                .iter()
                .map(|(name, value)| (name.clone(), number_to_json(*value)))
                .collect::<Map<_, _>>()
        };
        let parts = [
            ("groups", json(&self.groups), json(&found.groups)),
            ("modules", json(self.tree.modules()), json(found.tree.modules())),
            ("steps", json(&self.steps), json(&found.steps)),
            ("logged", numbers(&self.logged), numbers(&found.logged)),
            ("metrics", metrics(self).into(), metrics(found).into()),
            ("values", json(&self.values), json(&found.values)),
            ("states", json(&self.states), json(&found.states)),
        ];
        let part = parts.into_iter().find_map(|(name, expected, found)| difference(name, &expected, &found));
        part.or_else(|| (self != found).then(|| format!("it is {found:?}, expected {self:?}")))
    }

    /// Names of the parameters that train, sorted.
    pub fn trainable(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .tree
            .parameters()
            .filter(|parameter| parameter.requires_grad)
            .map(|parameter| parameter.name.as_str())
            .collect();
        names.sort_unstable();
        names
    }

    /// Every batch norm by path.
    pub fn batch_norms(&self) -> BTreeMap<&str, BatchNormFlags> {
        let norms =
            self.tree.modules().iter().filter_map(|module| Some((module, module.track_running_stats?)));
        norms
            .map(|(module, track_running_stats)| {
                let requires_grad = module.parameters.iter().any(|parameter| parameter.requires_grad);
                (
                    module.path.as_str(),
                    BatchNormFlags { training: module.training, track_running_stats, requires_grad },
                )
            })
            .collect()
    }
}

/// The first place in which two values differ, with what is there.
fn difference(place: &str, expected: &Value, found: &Value) -> Option<String> {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) if expected.keys().eq(found.keys()) => {
            expected.iter().find_map(|(key, value)| difference(&format!("{place}.{key}"), value, &found[key]))
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            pairs.into_iter().find_map(|(index, (expected, found))| {
                difference(&format!("{place}[{index}]"), expected, found)
            })
        }
        _ => (expected != found).then(|| format!("`{place}` is {found}, expected {expected}")),
    }
}
