//! The `[optimizer]` table.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Map;

use super::table::{KeyError, Table};
use super::{OptimizerError, ParamGroup, Result};

mod groups;

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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OptimizerConfig {
    /// Which optimizer, with its own settings.
    #[serde(flatten)]
    pub algorithm: Algorithm,
    /// Learning rate, 0 or more.
    pub lr: f64,
    /// Weight decay, 0 or more: an L2 penalty in SGD and Adam, decoupled in AdamW.
    pub weight_decay: f64,
    /// Climb instead of descend.
    pub maximize: bool,
    /// Module paths or globs of what trains from the start; `None` for all that require gradients. Only kept
    /// here: whoever builds the groups reads it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Vec<String>>,
}

/// An optimizer with the settings that only it has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "id", rename_all = "lowercase")]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AdamConfig {
    /// Decay of the running means of the gradient and its square, each in [0, 1).
    pub betas: [f64; 2],
    /// Added to the denominator, 0 or more.
    pub eps: f64,
    /// Divide by the largest mean so far.
    pub amsgrad: bool,
}

/// Ids of the optimizers there are.
pub(super) const IDS: [&str; 3] = ["sgd", "adam", "adamw"];

impl Algorithm {
    /// Its id, as in the table.
    pub fn id(&self) -> &'static str {
        match self {
            Algorithm::Sgd { .. } => "sgd",
            Algorithm::Adam(_) => "adam",
            Algorithm::AdamW(_) => "adamw",
        }
    }

    /// Keys that its table may have.
    fn keys(id: &str) -> &'static [&'static str] {
        match id {
            "sgd" => &["lr", "weight_decay", "momentum", "dampening", "nesterov", "maximize", "parameters"],
            _ => &["lr", "weight_decay", "betas", "eps", "amsgrad", "maximize", "parameters"],
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
        let adam = AdamConfig { betas: [0.9, 0.999], eps: 1e-8, amsgrad: false };
        let (algorithm, weight_decay) = match id {
            "sgd" => (Algorithm::Sgd { momentum: 0.0, dampening: 0.0, nesterov: false }, 0.0),
            "adam" => (Algorithm::Adam(adam), 0.0),
            "adamw" => (Algorithm::AdamW(adam), 0.01),
            _ => return None,
        };
        Some(OptimizerConfig { algorithm, lr: 1e-3, weight_decay, maximize: false, parameters: None })
    }

    /// Another optimizer in this one's place: its id and its options, by the names of a group's. Rate, weight
    /// decay and direction stay.
    ///
    /// # Errors
    /// An unknown id, or an option that does not fit.
    pub fn replaced_by(&self, id: &str, options: BTreeMap<String, f64>) -> Result<OptimizerConfig> {
        let table = Map::from_iter([("id".to_owned(), id.into())]);
        let other = OptimizerConfig {
            algorithm: OptimizerConfig::from_table(Table::new("optimizer", table))?.algorithm,
            ..self.clone()
        };
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
        let refuse = |key: &str, found: String, expected: &str| {
            let (path, key, expected) = ("optimizer".to_owned(), key.to_owned(), expected.to_owned());
            Err(KeyError { path, key, found, expected }.into())
        };
        for (key, value) in [("lr", self.lr), ("weight_decay", self.weight_decay)] {
            if !not_negative(value) {
                return refuse(key, value.to_string(), NOT_NEGATIVE);
            }
        }
        let group = self.group("", Vec::new());
        match options(self, &group) {
            Ok(_) => Ok(()),
            Err(OptimizerError::Group { key, found, expected, .. }) => refuse(&key, found, &expected),
            Err(other) => Err(other),
        }
    }

    fn from_table(mut table: Table) -> Result<OptimizerConfig> {
        let id = table.id(&IDS)?;
        let mut config =
            OptimizerConfig::default_for(id).ok_or_else(|| table.error("id", id, "a known optimizer"))?;
        table.only(id, Algorithm::keys(id))?;
        config.lr = table.or("lr", "a number", config.lr)?;
        config.weight_decay = table.or("weight_decay", "a number", config.weight_decay)?;
        config.maximize = table.or("maximize", FLAG, config.maximize)?;
        config.parameters = table.get("parameters", "a list of module paths or globs")?;
        match &mut config.algorithm {
            Algorithm::Sgd { momentum, dampening, nesterov } => {
                *momentum = table.or("momentum", "a number", *momentum)?;
                *dampening = table.or("dampening", "a number", *dampening)?;
                *nesterov = table.or("nesterov", FLAG, *nesterov)?;
            }
            Algorithm::Adam(adam) | Algorithm::AdamW(adam) => {
                adam.betas = table.or("betas", "a list of two numbers", adam.betas)?;
                adam.eps = table.or("eps", "a number", adam.eps)?;
                adam.amsgrad = table.or("amsgrad", FLAG, adam.amsgrad)?;
            }
        }
        config.check()?;
        Ok(config)
    }
}

impl<'de> Deserialize<'de> for OptimizerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        OptimizerConfig::from_table(Table::new("optimizer", Map::deserialize(deserializer)?))
            .map_err(D::Error::custom)
    }
}

const FLAG: &str = "true or false";
const NOT_NEGATIVE: &str = "a number of 0 or more";

fn not_negative(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

#[cfg(test)]
mod tests;
