//! A number, or how it follows from the epoch.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

/// A number or an expression.
#[derive(Clone, Debug, PartialEq)]
pub enum Factor {
    /// The same always.
    Number(f64),
    /// To be evaluated.
    Expression(String),
}

impl Config for Factor {
    fn schema() -> Value {
        json!({ "type": ["number", "string"], "format": "expression", "variables": ["epoch", "step"] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let number = value.as_f64().map(Self::Number);
        let read = number.or_else(|| value.as_str().map(|text| Self::Expression(text.to_owned())));
        let expected = "a number or an expression of epoch and step";
        read.ok_or_else(|| ConfigError::mismatch(key, value, expected))
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Expression(text) => json!(text),
        }
    }
}
