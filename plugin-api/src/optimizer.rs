//! Parameter groups: which parameters train together, at which rate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A named set of parameters with one rate, as one entry of PyTorch's `optimizer.param_groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamGroup {
    /// The group's name, unique in a run; every log and checkpoint uses it.
    pub name: String,
    /// Learning rate now.
    pub lr: f64,
    /// Rate the group started with: what schedulers scale. PyTorch's `initial_lr`.
    pub initial_lr: f64,
    /// Weight decay (L2 penalty in SGD and Adam, decoupled in AdamW).
    pub weight_decay: f64,
    /// Names of the parameters, in the order in which they were added.
    pub parameters: Vec<String>,
    /// Further options of the optimizer in this group (`momentum`, `beta1`, …) where they differ from its defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, f64>,
}
