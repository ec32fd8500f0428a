//! `channels_last`: in which layout of memory convolutions compute.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

/// Whether four-dimensional weights have their channels last in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ChannelsLast {
    /// Where models of this kind were measured to train faster so; a resumed run keeps what it had.
    #[default]
    Auto,
    /// Yes.
    On,
    /// No: PyTorch's own layout.
    Off,
}

impl Config for ChannelsLast {
    fn schema() -> Value {
        json!({ "anyOf": [{ "const": "auto" }, { "type": "boolean" }] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Bool(true) => Ok(Self::On),
            Value::Bool(false) => Ok(Self::Off),
            Value::String(text) if text == "auto" => Ok(Self::Auto),
            other => Err(ConfigError::mismatch(key, other, "\"auto\", true or false")),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Auto => json!("auto"),
            Self::On => json!(true),
            Self::Off => json!(false),
        }
    }
}
