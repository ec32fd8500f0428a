//! How much the presence of each label counts.

use serde_json::Value;
use thaw_plugin_api::config::{Config, ConfigError, Key};

use super::ClassWeights;

/// `pos_weight`: the argument of that name of `torch.nn.BCEWithLogitsLoss`, in the forms of [`ClassWeights`].
/// `balanced` is what PyTorch's documentation takes for its example: how often a label is not there over how
/// often it is.
#[derive(Clone, Debug, PartialEq)]
pub struct PosWeight(ClassWeights);

impl PosWeight {
    /// The numbers, in a list or by name, or `balanced`.
    pub fn weights(&self) -> &ClassWeights {
        &self.0
    }
}

impl Config for PosWeight {
    fn schema() -> Value {
        ClassWeights::schema()
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        ClassWeights::from_value(value, key).map(Self)
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}
