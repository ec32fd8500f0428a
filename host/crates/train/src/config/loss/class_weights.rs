//! How much each class counts in the loss.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};
use thaw_plugin_api::hint;

/// The text that stands for [`ClassWeights::Balanced`].
const BALANCED: &str = "balanced";
/// What the key takes.
const EXPECTED: &str = "\"balanced\", a list of one number per class, or a table { CLASS = NUMBER }";

/// `class_weights`: the argument `weight` of `torch.nn.CrossEntropyLoss`.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// As scikit-learn's `compute_class_weight("balanced", …)`: `n / (k * count)` of each of the `k`
    /// classes, from the labels of the `n` training samples.
    Balanced,
    /// One number per class, in the order of the model's outputs.
    Each(Vec<f64>),
    /// Numbers by the class's name or index; classes that are not named count 1.
    Named(BTreeMap<String, f64>),
}

impl Config for ClassWeights {
    fn schema() -> Value {
        let number = json!({ "type": "number", "minimum": 0.0 });
        json!({ "anyOf": [
            { "type": "string", "enum": [BALANCED] },
            { "type": "array", "items": number },
            { "type": "object", "additionalProperties": number },
        ] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::String(text) if text == BALANCED => Ok(Self::Balanced),
            Value::String(text) => {
                let expected = format!("{EXPECTED}{}", hint(text, [BALANCED]));
                Err(ConfigError::mismatch(key, value, expected))
            }
            Value::Array(weights) => {
                let weights = weights.iter().enumerate().map(|(index, one)| weight(one, &key.element(index)));
                Ok(Self::Each(weights.collect::<Result<_, _>>()?))
            }
            Value::Object(weights) => {
                let weights =
                    weights.iter().map(|(name, one)| Ok((name.clone(), weight(one, &key.child(name))?)));
                Ok(Self::Named(weights.collect::<Result<_, ConfigError>>()?))
            }
            _ => Err(ConfigError::mismatch(key, value, EXPECTED)),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Balanced => json!(BALANCED),
            Self::Each(weights) => json!(weights),
            Self::Named(weights) => json!(weights),
        }
    }
}

/// A number from 0.
fn weight(value: &Value, key: &Key) -> Result<f64, ConfigError> {
    let number = value.as_f64().filter(|number| *number >= 0.0);
    number.ok_or_else(|| ConfigError::mismatch(key, value, "a number of at least 0"))
}
