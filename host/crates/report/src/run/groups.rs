//! `groups.jsonl`.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What trains at which rate from some moment on.
#[derive(Clone, Debug, Deserialize)]
pub struct GroupsRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps that were done.
    pub step: usize,
    /// The parameter groups.
    pub groups: Vec<Group>,
    /// Names of the parameters that get gradients.
    pub trainable: Vec<String>,
    /// Modes of batch norms by module.
    #[serde(default)]
    pub batch_norm: BTreeMap<String, BatchNormMode>,
}

/// A parameter group.
#[derive(Clone, Debug, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its rate; none where it is no number.
    pub lr: Option<f64>,
    /// Names of its parameters.
    pub parameters: Vec<String>,
}

/// The mode of a batch norm.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
pub struct BatchNormMode {
    /// Whether it normalises by the batch.
    pub training: bool,
    /// Whether it updates its stored statistics.
    #[serde(default)]
    pub track_running_stats: Option<bool>,
}
