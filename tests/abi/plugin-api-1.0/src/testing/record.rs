//! What a fake run writes down.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Message;
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
    /// State of every strategy and callback after the epoch's first hooks, by id: what a checkpoint would hold.
    pub states: BTreeMap<String, Value>,
    /// The batches.
    pub steps: Vec<StepRecord>,
    /// Metrics that plugins logged, in order.
    pub logged: Vec<(String, f64)>,
    /// Every metric at the end of the epoch.
    pub metrics: BTreeMap<String, f64>,
}

/// One batch.
#[derive(Clone, Debug, PartialEq)]
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
    /// A hook's name; for what a plugin asked for, the operation and what it is about: `save-checkpoint best`.
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
    /// Names of the parameters that train, sorted.
    pub fn trainable(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.tree.parameters().filter(|parameter| parameter.requires_grad).map(|parameter| parameter.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// Every batch norm by path.
    pub fn batch_norms(&self) -> BTreeMap<&str, BatchNormFlags> {
        let norms = self.tree.modules().iter().filter_map(|module| Some((module, module.track_running_stats?)));
        norms
            .map(|(module, track_running_stats)| {
                let requires_grad = module.parameters.iter().any(|parameter| parameter.requires_grad);
                (module.path.as_str(), BatchNormFlags { training: module.training, track_running_stats, requires_grad })
            })
            .collect()
    }
}
