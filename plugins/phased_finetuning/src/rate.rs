//! The rate of what thaws.

use thaw_plugin_api::config::{ConfigError, ObjectReader};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// A rate: a number, or a share of another group's rate at the moment: `{ ratio = 0.1, of = "head" }`.
#[derive(Clone, Debug, PartialEq)]
pub enum Rate {
    /// The rate itself.
    Number(f64),
    /// A share of a group's rate.
    Ratio {
        /// The share.
        ratio: f64,
        /// The group, by the name of the phase that made it; without it the newest one, in the first phase
        /// the run config's rate.
        of: Option<String>,
    },
}

impl Rate {
    /// The rate, given the groups there are. The first phase has none.
    ///
    /// # Errors
    /// No group has the name.
    pub(crate) fn resolve(&self, optimizer: &Optimizer) -> Result<f64> {
        Ok(match self {
            Self::Number(rate) => *rate,
            Self::Ratio { ratio, of: None } => {
                ratio * optimizer.groups().last().map_or(optimizer.lr(), |group| group.lr)
            }
            Self::Ratio { ratio, of: Some(name) } => {
                let group = optimizer.groups().iter().find(|group| group.name == *name);
                let group = group.ok_or_else(|| {
                    Error::new(format_args!("there is no group `{name}` any more: all of it is frozen"))
                })?;
                ratio * group.lr
            }
        })
    }
}

impl Config for Rate {
    fn schema() -> Value {
        json!({ "type": ["number", "object"], "minimum": 0 })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let expected = "a number of at least 0, or a table with a `ratio`";
        if let Some(table) = value.is_object().then_some(value) {
            let mut reader = ObjectReader::new(table, key)?;
            let (ratio, of) = (reader.field("ratio", None)?, reader.field("of", None)?);
            reader.finish()?;
            return Ok(Self::Ratio {
                ratio: not_negative(ratio, &key.child("ratio"), "a number of at least 0")?,
                of,
            });
        }
        match value.as_f64() {
            Some(rate) => Ok(Self::Number(not_negative(rate, key, expected)?)),
            None => Err(ConfigError::Value {
                key: key.clone(),
                found: value.to_string(),
                expected: expected.to_owned(),
            }),
        }
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Number(rate) => json!(rate),
            Self::Ratio { ratio, of } => json!({ "ratio": ratio, "of": of }),
        }
    }
}

fn not_negative(number: f64, key: &Key, expected: &str) -> Result<f64, ConfigError> {
    if number >= 0.0 && number.is_finite() {
        return Ok(number);
    }
    Err(ConfigError::Value { key: key.clone(), found: number.to_string(), expected: expected.to_owned() })
}
