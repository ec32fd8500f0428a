//! Numbers that can be written in two ways.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key, Ranged};

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

/// A number for all groups, or one for each.
#[derive(Clone, Debug, PartialEq)]
pub enum ByGroup {
    /// The same for all groups.
    All(f64),
    /// By position of the group; groups past the end take the last.
    Each(Vec<f64>),
}

impl ByGroup {
    /// That of the group at this position; none in an empty list.
    pub fn at(&self, index: usize) -> Option<f64> {
        let values = self.values();
        values.get(index).or(values.last()).copied()
    }

    /// All of them.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::All(value) => std::slice::from_ref(value),
            Self::Each(values) => values,
        }
    }
}

impl Config for ByGroup {
    fn schema() -> Value {
        json!({ "anyOf": [f64::schema(), Vec::<f64>::schema()] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Number(_) => f64::from_value(value, key).map(Self::All),
            Value::Array(_) => Vec::from_value(value, key).map(Self::Each),
            _ => Err(ConfigError::mismatch(key, value, "a number, or a list of numbers by group")),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::All(number) => number.to_value(),
            Self::Each(numbers) => numbers.to_value(),
        }
    }
}

impl Ranged<f64> for ByGroup {
    fn numbers(&self) -> Vec<f64> {
        self.values().to_vec()
    }
}
