//! A number for every parameter group, or one for each.

use serde_json::{Value, json};

use super::{Config, ConfigError, Key, Ranged};

/// A number for all groups, or one for each: `max_lr` of PyTorch's `OneCycleLR`, `swa_lrs` of Lightning's
/// `StochasticWeightAveraging`.
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
