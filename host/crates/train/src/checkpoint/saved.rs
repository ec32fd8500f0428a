//! What `state.json` holds: one flat object, read and written in parts.
//!
//! Each part of a run's state has its own type here. A key that versions before did not write has a default;
//! a key that is written once is never given another meaning.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thaw_plugin_api::context::CheckpointName;
use thaw_plugin_api::module_tree::Module;
use thaw_plugin_api::optimizer::ParamGroup;
use thaw_plugin_api::tensor_sets::SavedSet;

use super::{Best, Meter};
use crate::swap::Swap;
use thaw_data::{Fingerprints, SplitBy};
use thaw_optim::optimizer::OptimizerConfig;
use thaw_optim::scheduler::RunLength;

/// The state of a run besides its tensors.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedState {
    /// Version of this form.
    pub format: u32,
    /// Version of the program.
    pub thaw: String,
    /// SHA-256 of the other files.
    pub files: BTreeMap<String, String>,
    /// Where the run stands.
    #[serde(flatten)]
    pub position: SavedPosition,
    /// What the run was started with.
    #[serde(flatten)]
    pub given: SavedGiven,
    /// Freeze state, optimizer and scheduler, without their tensors.
    #[serde(flatten)]
    pub trained: SavedTrained,
    /// State of strategies and callbacks.
    pub callbacks: Vec<SavedCallback>,
    /// Losses and metrics.
    #[serde(flatten)]
    pub measured: SavedMeasured,
    /// What hooks asked for.
    #[serde(flatten)]
    pub requests: SavedRequests,
    /// What passes start from instead of the samples.
    #[serde(flatten)]
    pub prefix: SavedPrefix,
    /// What lies in the run directory.
    #[serde(flatten)]
    pub kept: SavedKept,
    /// What observers keep.
    #[serde(flatten)]
    pub observed: SavedObserved,
}

/// Where the run stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedPosition {
    /// The epoch to go on with.
    pub epoch: usize,
    /// The batch of that epoch to go on with, for people and for versions that did not count samples.
    pub batch: usize,
    /// Samples of that epoch that were trained on, in its order, see [`SavedPosition::sample_of_epoch`].
    #[serde(default)]
    pub sample: Option<usize>,
    /// Samples of training.
    #[serde(default)]
    pub train_samples: Option<usize>,
    /// Optimizer steps so far.
    pub global_step: usize,
    /// How long the run was to be.
    #[serde(default)]
    pub length: Option<RunLength>,
    /// Samples that were trained on since the run was started, see [`SavedPosition::samples_of_run`].
    #[serde(default)]
    pub samples: Option<u64>,
    /// Processes that trained together, where there were several: batches were as many times larger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<usize>,
}

impl SavedPosition {
    /// Where in its epoch the run goes on: after so many samples; 0 starts the epoch. Versions before counted
    /// batches alone, which were of this size.
    pub fn sample_of_epoch(&self, batch_size: usize) -> usize {
        self.sample.unwrap_or(self.batch * batch_size)
    }

    /// Whether some of the epoch to go on with is done.
    pub fn is_inside_epoch(&self) -> bool {
        self.sample_of_epoch(1) > 0
    }

    /// Samples that were trained on since the run was started. Versions before did not count them: as many as
    /// there are, in each epoch.
    pub fn samples_of_run(&self) -> u64 {
        let counted = || (self.epoch * self.train_samples.unwrap_or(0) + self.sample.unwrap_or(0)) as u64;
        self.samples.unwrap_or_else(counted)
    }
}

/// What the run was started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedGiven {
    /// The model and its configuration.
    pub model: SavedModel,
    /// Names of the classes, where the target is one.
    pub class_names: Vec<String>,
    /// What tells the run's data from other data; older versions did not write it.
    #[serde(default)]
    pub data: Option<Fingerprints>,
    /// What a `val_split` of the run's data is drawn from; older versions did not write it, see
    /// [`Checkpoint::split_by`](super::Checkpoint::split_by).
    #[serde(default)]
    pub split_by: Option<SplitBy>,
    /// State of a plugin's data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<Value>,
    /// How much each class counts in the loss, where not all count alike: `balanced` stays what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<Vec<f64>>,
    /// The run config.
    pub config: Value,
    /// Where the files and folders are that it names, by key (a JSON pointer into it): a file of this
    /// checkpoint, or an absolute path.
    #[serde(default)]
    pub paths: BTreeMap<String, String>,
}

/// Which model it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedModel {
    /// Id.
    pub id: String,
    /// Its configuration.
    pub config: Value,
}

/// Freeze state, optimizer and scheduler; their tensors are in files of their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedTrained {
    /// Modules with modes and `requires_grad`.
    pub modules: Vec<Module>,
    /// Groups with their rates.
    pub groups: Vec<ParamGroup>,
    /// Settings of the optimizer, where another one has taken the place of the run config's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<OptimizerConfig>,
    /// State of the scheduler.
    pub scheduler: Option<Value>,
    /// Whether four-dimensional weights had their channels last in memory; older versions did not write it.
    #[serde(default)]
    pub channels_last: Option<bool>,
    /// Loss scaling.
    #[serde(default)]
    pub loss_scale: Option<SavedScaler>,
    /// Tensor sets of hooks, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tensor_sets: BTreeMap<String, SavedSet>,
}

/// Loss scaling, in half precision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedScaler {
    /// What the loss is multiplied by.
    pub scale: f64,
    /// Steps without infinities since the scale last changed.
    pub good_steps: u32,
}

/// State of a strategy or callback.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedCallback {
    /// Id.
    pub id: String,
    /// Its plugin.
    pub plugin: String,
    /// What it gave.
    pub state: Value,
}

/// Losses and metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedMeasured {
    /// Latest value of each metric.
    pub metrics: BTreeMap<String, f64>,
    /// Every metric that there was.
    #[serde(default)]
    pub known_metrics: BTreeSet<String>,
    /// Sums of the epoch that is under way.
    pub meter: Meter,
    /// The last batch's loss.
    #[serde(default)]
    pub loss: Option<f64>,
    /// Rates of the last step, by position of the group; the record of the epoch has them.
    #[serde(default)]
    pub used_rates: Vec<f64>,
}

/// What hooks asked for and the loop has not done yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedRequests {
    /// Metrics that hooks logged and no record has yet.
    #[serde(default)]
    pub logged: BTreeMap<String, f64>,
    /// Why the run is to stop once `min_epochs` and `min_steps` are reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_stop: Option<String>,
    /// Whether a validation inside an epoch was interrupted, and comes before the next batch.
    #[serde(default)]
    pub validate_first: bool,
}

/// What passes start from instead of the samples.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPrefix {
    /// The frozen prefix, computed once; what it gave is computed anew.
    #[serde(default)]
    pub frozen_cache: SavedFrozenCache,
}

/// Which stages of the model passes leave out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedFrozenCache {
    /// Of training.
    pub train: SavedCut,
    /// Of validation.
    pub val: SavedCut,
    /// A frozen tensor that a hook wrote into, which ended all that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

/// What was decided for a split's last pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedCut {
    /// The epoch of the pass.
    pub epoch: Option<usize>,
    /// Stages that are left out from here on; none where the samples are passed whole.
    pub cut: Option<usize>,
    /// Stages that were left out in that epoch, in a part of it at least.
    pub used: Option<usize>,
}

/// What lies in the run directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedKept {
    /// The best checkpoint so far.
    pub best: Option<Best>,
    /// Epoch checkpoints kept for their rank, best first.
    #[serde(default, rename = "kept")]
    pub ranked: Vec<Best>,
    /// Checkpoints that hooks asked for, by name: strategies may want to restore them.
    #[serde(default)]
    pub requested: BTreeSet<CheckpointName>,
    /// Strategies that were replaced in the running process, in order.
    #[serde(default)]
    pub swaps: Vec<Swap>,
}

/// What observers keep, and the time of the run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SavedObserved {
    /// Seconds since the run was started.
    #[serde(default)]
    pub seconds: f64,
    /// Where the files of records end, and what other observers keep, by their names.
    pub records: BTreeMap<String, Value>,
}
