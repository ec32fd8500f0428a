//! How much the presence of each label counts.

use serde_json::Value;
use thaw_plugin_api::config::{Config, ConfigError, Key};

use super::ClassWeights;

/// `pos_weight`: the argument of that name of `torch.nn.BCEWithLogitsLoss`, as [`ClassWeights`] without
/// `balanced`.
#[derive(Clone, Debug, PartialEq)]
pub struct PosWeight(ClassWeights);

impl PosWeight {
    /// The numbers, in a list or by name; never `balanced`.
    pub fn weights(&self) -> &ClassWeights {
        &self.0
    }
}

impl Config for PosWeight {
    fn schema() -> Value {
        let mut schema = ClassWeights::schema();
        if let Some(forms) = schema["anyOf"].as_array_mut() {
            forms.retain(|form| form["type"] != "string");
        }
        schema
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        if value.is_string() {
            let expected = "a list of one number per class, or a table { CLASS = NUMBER }";
            return Err(ConfigError::mismatch(key, value, expected));
        }
        ClassWeights::from_value(value, key).map(Self)
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}
