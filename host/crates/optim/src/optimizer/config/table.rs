//! The keys of the `[optimizer]` table, by its id.

use thaw_plugin_api::config::{Config, ConfigError};

use super::{AdamConfig, Algorithm, OptimizerConfig};

/// The optimizer, with PyTorch's names and defaults.
#[derive(Config)]
#[config(tag = "id", check = OptimizerTable::check)]
pub(super) enum OptimizerTable {
    /// `torch.optim.SGD`.
    Sgd {
        /// Share of the last update that is kept.
        #[config(default = 0.0, range = 0.0..)]
        momentum: f64,
        /// Share by which the gradient is reduced in the momentum.
        #[config(default = 0.0)]
        dampening: f64,
        /// Nesterov's momentum; needs momentum and no dampening.
        #[config(default = false)]
        nesterov: bool,
        /// Learning rate.
        #[config(default = 1e-3, range = 0.0..)]
        lr: f64,
        /// An L2 penalty.
        #[config(default = 0.0, range = 0.0..)]
        weight_decay: f64,
        #[config(flatten)]
        shared: Shared,
    },
    /// `torch.optim.Adam`.
    Adam {
        #[config(flatten)]
        adam: AdamConfig,
        /// Learning rate.
        #[config(default = 1e-3, range = 0.0..)]
        lr: f64,
        /// An L2 penalty.
        #[config(default = 0.0, range = 0.0..)]
        weight_decay: f64,
        #[config(flatten)]
        shared: Shared,
    },
    /// `torch.optim.AdamW`.
    #[config(rename = "adamw")]
    AdamW {
        #[config(flatten)]
        adam: AdamConfig,
        /// Learning rate.
        #[config(default = 1e-3, range = 0.0..)]
        lr: f64,
        /// Share of the rate by which weights shrink at each step.
        #[config(default = 0.01, range = 0.0..)]
        weight_decay: f64,
        #[config(flatten)]
        shared: Shared,
    },
}

/// Keys of every optimizer.
#[derive(Config)]
pub(super) struct Shared {
    /// Climb instead of descend.
    #[config(default = false)]
    maximize: bool,
    /// Module paths or globs of what trains from the start. Default: all that require gradients.
    parameters: Option<Vec<String>>,
}

impl OptimizerTable {
    /// PyTorch's condition for Nesterov's momentum.
    fn check(&mut self) -> Result<(), ConfigError> {
        match *self {
            Self::Sgd { nesterov: true, momentum, dampening, .. } if momentum == 0.0 || dampening != 0.0 => {
                let found = format!("true with momentum {momentum} and dampening {dampening}");
                Err(ConfigError::value("nesterov", found, "momentum above 0 and dampening 0"))
            }
            _ => Ok(()),
        }
    }
}

impl From<OptimizerTable> for OptimizerConfig {
    fn from(table: OptimizerTable) -> Self {
        let (algorithm, lr, weight_decay, shared) = match table {
            OptimizerTable::Sgd { momentum, dampening, nesterov, lr, weight_decay, shared } => {
                (Algorithm::Sgd { momentum, dampening, nesterov }, lr, weight_decay, shared)
            }
            OptimizerTable::Adam { adam, lr, weight_decay, shared } => {
                (Algorithm::Adam(adam), lr, weight_decay, shared)
            }
            OptimizerTable::AdamW { adam, lr, weight_decay, shared } => {
                (Algorithm::AdamW(adam), lr, weight_decay, shared)
            }
        };
        let Shared { maximize, parameters } = shared;
        Self { algorithm, lr, weight_decay, maximize, parameters }
    }
}

impl From<OptimizerConfig> for OptimizerTable {
    fn from(config: OptimizerConfig) -> Self {
        let OptimizerConfig { algorithm, lr, weight_decay, maximize, parameters } = config;
        let shared = Shared { maximize, parameters };
        match algorithm {
            Algorithm::Sgd { momentum, dampening, nesterov } => {
                Self::Sgd { momentum, dampening, nesterov, lr, weight_decay, shared }
            }
            Algorithm::Adam(adam) => Self::Adam { adam, lr, weight_decay, shared },
            Algorithm::AdamW(adam) => Self::AdamW { adam, lr, weight_decay, shared },
        }
    }
}
