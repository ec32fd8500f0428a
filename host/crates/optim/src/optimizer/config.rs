//! The `[optimizer]` table.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::json;
use thaw_plugin_api::config::{self, Config, Key};

use super::{ParamGroup, Result};

mod groups;
mod table;

use table::OptimizerTable;

pub(super) use groups::{Options, check_groups, options};

/// Settings of an optimizer: PyTorch's names and defaults.
///
/// ```toml
/// [optimizer]
/// id = "adamw"               # sgd | adam | adamw
/// lr = 1e-3                  # default 1e-3
/// weight_decay = 0.01        # default 0 (adamw: 0.01)
/// parameters = ["head"]      # module paths or globs; default: all that require gradients
/// ```
///
/// `sgd` has `momentum` (0), `dampening` (0) and `nesterov` (false); `adam` and `adamw` have `betas` ([0.9,
/// 0.999]), `eps` (1e-8) and `amsgrad` (false); all have `maximize` (false). Unknown keys are refused.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(through = OptimizerTable)]
pub struct OptimizerConfig {
    /// Which optimizer, with its own settings.
    pub algorithm: Algorithm,
    /// Learning rate, 0 or more.
    pub lr: f64,
    /// Weight decay, 0 or more: an L2 penalty in SGD and Adam, decoupled in AdamW.
    pub weight_decay: f64,
    /// Climb instead of descend.
    pub maximize: bool,
    /// Module paths or globs of what trains from the start; `None` for all that require gradients. Only kept
    /// here: whoever builds the groups reads it.
    pub parameters: Option<Vec<String>>,
}

/// An optimizer with the settings that only it has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Algorithm {
    /// `torch.optim.SGD`.
    Sgd {
        /// Share of the last update that is kept, 0 or more.
        momentum: f64,
        /// Share by which the gradient is reduced in the momentum.
        dampening: f64,
        /// Nesterov's momentum; needs momentum and no dampening.
        nesterov: bool,
    },
    /// `torch.optim.Adam`.
    Adam(AdamConfig),
    /// `torch.optim.AdamW`.
    AdamW(AdamConfig),
}

/// The settings of Adam and AdamW.
#[derive(Clone, Copy, Debug, PartialEq, Config)]
pub struct AdamConfig {
    /// Decay of the running means of the gradient and its square, each in [0, 1).
    #[config(default = [0.9, 0.999], range = 0.0..1.0)]
    pub betas: [f64; 2],
    /// Added to the denominator, 0 or more.
    #[config(default = 1e-8, range = 0.0..)]
    pub eps: f64,
    /// Divide by the largest mean so far.
    #[config(default = false)]
    pub amsgrad: bool,
}

impl Algorithm {
    /// Its id, as in the table.
    pub fn id(&self) -> &'static str {
        match self {
            Algorithm::Sgd { .. } => "sgd",
            Algorithm::Adam(_) => "adam",
            Algorithm::AdamW(_) => "adamw",
        }
    }

    /// Names of its state tensors.
    pub(super) fn state_names(&self) -> &'static [&'static str] {
        match self {
            Algorithm::Sgd { .. } => &["momentum_buffer"],
            _ => &["step", "exp_avg", "exp_avg_sq", "max_exp_avg_sq"],
        }
    }

    /// How many of its states every parameter with state has.
    pub(super) fn required_states(&self) -> usize {
        match self {
            Algorithm::Sgd { .. } => 1,
            _ => 3,
        }
    }
}

impl OptimizerConfig {
    /// PyTorch's defaults for an id; `None` for an unknown one.
    pub fn default_for(id: &str) -> Option<OptimizerConfig> {
        Self::from_value(&json!({ "id": id }), &Self::key()).ok()
    }

    /// Ids of the optimizers there are.
    pub const IDS: [&'static str; 3] = OptimizerTable::TAGS;

    /// Where a run config has it.
    fn key() -> Key {
        Key::root().child("optimizer")
    }

    /// Another optimizer in this one's place: its id and its options, by the names of a group's. Rate, weight
    /// decay and direction stay.
    ///
    /// # Errors
    /// An unknown id, or an option that does not fit.
    pub fn replaced_by(&self, id: &str, options: BTreeMap<String, f64>) -> Result<OptimizerConfig> {
        let other = Self::from_value(&json!({ "id": id }), &Self::key())?;
        let other = OptimizerConfig { algorithm: other.algorithm, ..self.clone() };
        let algorithm = groups::with_options(&other, options)?;
        Ok(OptimizerConfig { algorithm, ..other })
    }

    /// A group with this optimizer's rate and weight decay.
    pub fn group(&self, name: impl Into<String>, parameters: Vec<String>) -> ParamGroup {
        ParamGroup {
            name: name.into(),
            lr: self.lr,
            initial_lr: self.lr,
            weight_decay: self.weight_decay,
            parameters,
            options: Default::default(),
        }
    }

    /// Group option that is the optimizer's momentum (`momentum` or `beta1`): what a one-cycle schedule
    /// cycles.
    pub fn momentum_option(&self) -> &'static str {
        match self.algorithm {
            Algorithm::Sgd { .. } => "momentum",
            _ => "beta1",
        }
    }

    /// Checks every value with PyTorch's limits.
    pub fn check(&self) -> Result<()> {
        Self::from_value(&self.to_value(), &Self::key())?;
        Ok(())
    }
}

impl Serialize for OptimizerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        config::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for OptimizerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        config::deserialize("optimizer", deserializer)
    }
}

const NOT_NEGATIVE: &str = "a number of 0 or more";

fn not_negative(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

#[cfg(test)]
mod tests;
