//! Options of the optimizer in a group.

use std::collections::BTreeMap;

use thaw_plugin_api::config::ConfigError;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// Options by the names of `[optimizer]`; `betas` are `beta1` and `beta2` of a group, and a flag is 0 or 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options(pub(crate) BTreeMap<String, f64>);

impl Options {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Keys of `[optimizer]` that are no options of a group, and what to do about them.
const ELSEWHERE: [(&str, &str); 4] = [
    ("id", "an option of the run's optimizer: all phases have the same one"),
    ("lr", "it beside `optimizer`, as the phase's `lr`"),
    ("weight_decay", "it beside `optimizer`, as the phase's `weight_decay`"),
    ("parameters", "it beside `optimizer`, as the phase's `modules`"),
];

impl Config for Options {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": { "type": ["number", "boolean", "array"] } })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let wrong =
            |key: Key, found: &Value, expected: &str| ConfigError::Value { key, found: found.to_string(), expected: expected.to_owned() };
        let table = value.as_object().ok_or_else(|| wrong(key.clone(), value, "a table"))?;
        let mut options = BTreeMap::new();
        for (name, value) in table {
            let key = key.child(name);
            if let Some((_, expected)) = ELSEWHERE.iter().find(|(known, _)| known == name) {
                return Err(wrong(key, value, expected));
            }
            match (name.as_str(), value) {
                ("betas", Value::Array(betas)) if betas.len() == 2 && betas.iter().all(Value::is_number) => {
                    options.extend(
                        ["beta1", "beta2"].into_iter().zip(betas).filter_map(|(name, beta)| Some((name.to_owned(), beta.as_f64()?))),
                    );
                }
                ("betas", other) => return Err(wrong(key, other, "a list of two numbers")),
                (_, Value::Bool(flag)) => drop(options.insert(name.clone(), f64::from(u8::from(*flag)))),
                (_, other) => {
                    let number = other.as_f64().ok_or_else(|| wrong(key, other, "a number, or true or false"))?;
                    options.insert(name.clone(), number);
                }
            }
        }
        Ok(Self(options))
    }

    fn to_value(&self) -> Value {
        json!(self.0)
    }
}
