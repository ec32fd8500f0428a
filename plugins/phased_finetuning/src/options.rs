//! Options of the optimizer in a group.

use std::collections::BTreeMap;

use thaw_plugin_api::config::ConfigError;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// Options by the names of `[optimizer]`; `betas` are `beta1` and `beta2` of a group, and a flag is 0 or 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// The optimizer that they are of, where it is to take the place of the one before; else they are of a
    /// group.
    pub(crate) id: Option<String>,
    pub(crate) values: BTreeMap<String, f64>,
}

impl Options {
    /// Options of a group, if there are any.
    pub(crate) fn of_group(&self) -> Option<&BTreeMap<String, f64>> {
        (self.id.is_none() && !self.values.is_empty()).then_some(&self.values)
    }
}

/// Keys of `[optimizer]` that are no options of a group, and what to do about them.
const ELSEWHERE: [(&str, &str); 3] = [
    ("lr", "it beside `optimizer`, as the phase's `lr`"),
    ("weight_decay", "it beside `optimizer`, as the phase's `weight_decay`"),
    ("parameters", "it beside `optimizer`, as the phase's `modules`"),
];

impl Config for Options {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": { "type": ["number", "boolean", "array",
            "string"] } })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let wrong = |key: Key, found: &Value, expected: &str| ConfigError::Value {
            key,
            found: found.to_string(),
            expected: expected.to_owned(),
        };
        let table = value.as_object().ok_or_else(|| wrong(key.clone(), value, "a table"))?;
        let (mut id, mut options) = (None, BTreeMap::new());
        for (name, value) in table {
            let key = key.child(name);
            if let Some((_, expected)) = ELSEWHERE.iter().find(|(known, _)| known == name) {
                return Err(wrong(key, value, expected));
            }
            match (name.as_str(), value) {
                ("id", Value::String(name)) => id = Some(name.clone()),
                ("id", other) => return Err(wrong(key, other, "a text")),
                ("betas", Value::Array(betas)) if betas.len() == 2 && betas.iter().all(Value::is_number) => {
                    options.extend(
                        ["beta1", "beta2"]
                            .into_iter()
                            .zip(betas)
                            .filter_map(|(name, beta)| Some((name.to_owned(), beta.as_f64()?))),
                    );
                }
                ("betas", other) => return Err(wrong(key, other, "a list of two numbers")),
                (_, Value::Bool(flag)) => drop(options.insert(name.clone(), f64::from(u8::from(*flag)))),
                (_, other) => {
                    let number =
                        other.as_f64().ok_or_else(|| wrong(key, other, "a number, or true or false"))?;
                    options.insert(name.clone(), number);
                }
            }
        }
        Ok(Self { id, values: options })
    }

    fn to_value(&self) -> Value {
        let id = self.id.iter().map(|id| ("id".to_owned(), json!(id)));
        id.chain(self.values.iter().map(|(name, value)| (name.clone(), json!(value)))).collect()
    }
}
