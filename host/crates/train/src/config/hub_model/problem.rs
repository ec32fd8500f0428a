//! What a model is for: `problem_type` and the number of outputs of a `config.json`, `target` of `[data]`.

use serde_json::{Map, Value};
use thaw_plugin_api::config::ConfigError as KeyError;

use super::{KEY, labels};

/// What a sample's label is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// One class of several.
    Class,
    /// Any of several labels.
    Labels,
    /// A number.
    Number,
}

impl Problem {
    /// That of the trained model.
    pub fn of_config(config: &Value) -> Self {
        match config.get("problem_type").and_then(Value::as_str) {
            Some("regression") => Self::Number,
            Some("multi_label_classification") => Self::Labels,
            // One output is a number.
            None if labels(config).len() == 1 => Self::Number,
            _ => Self::Class,
        }
    }

    /// That of the data, once the directory has filled in its keys; None where the kind of data says it.
    pub fn of_data(data: &Map<String, Value>, keys: &Map<String, Value>) -> Option<Self> {
        let target = data.get("target").or_else(|| keys.get("target")).and_then(Value::as_str);
        let kind = data.get("kind").and_then(Value::as_str).unwrap_or_default();
        match target {
            Some("value") => Some(Self::Number),
            Some("labels") => Some(Self::Labels),
            _ => ["text", "list", "image-folder", "cifar10"].contains(&kind).then_some(Self::Class),
        }
    }

    /// `data.target` for such a model, where it is not the default.
    ///
    /// # Errors
    /// A model of several numbers.
    pub fn target(config: &Value) -> Result<Option<&'static str>, KeyError> {
        match Self::of_config(config) {
            Self::Class => Ok(None),
            Self::Labels => Ok(Some("labels")),
            Self::Number if labels(config).len() == 1 => Ok(Some("value")),
            Self::Number => {
                let found = format!(
                    "a directory of a model with {} outputs, whose `problem_type` is regression",
                    labels(config).len()
                );
                let expected = "one of a single number: set `target` in [data] to \"value\", for one number, \
                                or to \"class\" or \"labels\", for a new head";
                Err(KeyError::value(KEY, found, expected))
            }
        }
    }
}
