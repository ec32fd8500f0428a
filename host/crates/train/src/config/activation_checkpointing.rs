//! `activation_checkpointing`: which stages of the model are computed again in the backward pass.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

/// Stages whose activations are not kept for the backward pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ActivationCheckpointing {
    /// None.
    #[default]
    Off,
    /// All but the last, of which nothing would be saved.
    All,
    /// Those of these names.
    Stages(Vec<String>),
}

impl Config for ActivationCheckpointing {
    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "array", "items": { "type": "string" } }] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Bool(false) => Ok(Self::Off),
            Value::Bool(true) => Ok(Self::All),
            Value::Array(_) => Vec::<String>::from_value(value, key).map(Self::Stages),
            other => {
                let expected = "true, false, or a list of the model's stages";
                Err(ConfigError::mismatch(key, other, expected))
            }
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Off => json!(false),
            Self::All => json!(true),
            Self::Stages(stages) => json!(stages),
        }
    }
}
