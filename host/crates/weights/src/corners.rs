//! How position embeddings for another picture size are brought to the model's.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

/// The value of `interpolate_embeddings`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Interpolation {
    /// They are not: another size is an error.
    #[default]
    Refused,
    /// Bicubically between aligned corners, as torchvision's `interpolate_embeddings`.
    Torchvision,
    /// Bicubically between the centres of patches, as transformers' `interpolate_pos_encoding`.
    Transformers,
}

const TORCHVISION: &str = "torchvision";
const TRANSFORMERS: &str = "transformers";

impl Config for Interpolation {
    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "boolean" }, { "enum": [TORCHVISION, TRANSFORMERS] }] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Bool(false) => Ok(Self::Refused),
            Value::Bool(true) => Ok(Self::Torchvision),
            Value::String(name) if name == TORCHVISION => Ok(Self::Torchvision),
            Value::String(name) if name == TRANSFORMERS => Ok(Self::Transformers),
            Value::String(_) => Err(ConfigError::no_choice(key, value, &[TORCHVISION, TRANSFORMERS])),
            _ => Err(ConfigError::mismatch(key, value, "true, false, \"torchvision\" or \"transformers\"")),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Refused => json!(false),
            Self::Torchvision => json!(true),
            Self::Transformers => json!(TRANSFORMERS),
        }
    }
}
