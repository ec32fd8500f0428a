//! Hugging Face's `config.json` of a picture model.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json;

/// A `config.json`; empty where there is none, so that every size has its default.
#[derive(Clone, Debug, Default)]
pub struct HubFile {
    path: PathBuf,
    values: Map<String, Value>,
}

impl HubFile {
    /// Reads a file (a folder stands for its `config.json`) of one of these `model_type`s.
    ///
    /// # Errors
    /// No such file, no JSON object, another type.
    pub fn read(path: Option<&Path>, types: &[&str]) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let path = if path.is_dir() { path.join("config.json") } else { path.to_owned() };
        let wrong = |reason: &dyn Display| config_error(format!("`config`: {}: {reason}", path.display()));
        let text = std::fs::read_to_string(&path).map_err(|error| wrong(&error))?;
        let values: Map<String, Value> = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        let found = values.get("model_type").and_then(Value::as_str).map(str::to_owned);
        let file = Self { path, values };
        match found {
            Some(found) if !types.contains(&found.as_str()) => {
                let place = file.path.display();
                let expected = types.join("` or `");
                Err(config_error(format!(
                    "`config`: {place} is of model_type `{found}`, expected `{expected}`"
                )))
            }
            _ => Ok(file),
        }
    }

    /// Whether there is a file.
    pub fn is_given(&self) -> bool {
        !self.values.is_empty()
    }

    /// A whole number of at least 1: as given, else the file's, else the default.
    ///
    /// # Errors
    /// The file has something else.
    pub fn integer(&self, key: &str, given: Option<i64>, default: i64) -> Result<i64> {
        let read = |value: &Value| value.as_i64().filter(|number| *number >= 1);
        self.pick(key, given, default, read, "a whole number of at least 1")
    }

    /// The side of a square, in files one number or two that are the same.
    ///
    /// # Errors
    /// The file has something else.
    pub fn side(&self, key: &str, given: Option<i64>, default: i64) -> Result<i64> {
        let read = |value: &Value| match value.as_array().map(Vec::as_slice) {
            Some([height, width]) if height == width => height.as_i64(),
            Some(_) => None,
            None => value.as_i64().filter(|number| *number >= 1),
        };
        self.pick(key, given, default, read, "the side of a square")
    }

    /// A number of at least 0.
    ///
    /// # Errors
    /// The file has something else.
    pub fn number(&self, key: &str, given: Option<f64>, default: f64) -> Result<f64> {
        let read = |value: &Value| value.as_f64().filter(|number| *number >= 0.0);
        self.pick(key, given, default, read, "a number of at least 0")
    }

    /// Whole numbers of at least 1.
    ///
    /// # Errors
    /// The file has something else.
    pub fn list(&self, key: &str, given: Option<&[i64]>, default: &[i64]) -> Result<Vec<i64>> {
        let read = |value: &Value| -> Option<Vec<i64>> {
            let number = |value: &Value| value.as_i64().filter(|number| *number >= 1);
            value.as_array()?.iter().map(number).collect()
        };
        let given = given.map(<[i64]>::to_vec);
        self.pick(key, given, default.to_vec(), read, "a list of whole numbers of at least 1")
    }

    /// Yes or no.
    ///
    /// # Errors
    /// The file has something else.
    pub fn flag(&self, key: &str, default: bool) -> Result<bool> {
        self.pick(key, None, default, Value::as_bool, "true or false")
    }

    /// A text.
    ///
    /// # Errors
    /// The file has something else.
    pub fn text(&self, key: &str, default: &str) -> Result<String> {
        let read = |value: &Value| value.as_str().map(str::to_owned);
        self.pick(key, None, default.to_owned(), read, "a text")
    }

    /// The activation `hidden_act`.
    ///
    /// # Errors
    /// One that is not here.
    pub fn activation(&self, default: &str) -> Result<nn::ActivationKind> {
        match self.text("hidden_act", default)?.as_str() {
            "gelu" => Ok(nn::ActivationKind::GELU),
            "relu" => Ok(nn::ActivationKind::ReLU),
            "relu6" => Ok(nn::ActivationKind::ReLU6),
            "silu" | "swish" => Ok(nn::ActivationKind::SiLU),
            "hardswish" => Ok(nn::ActivationKind::Hardswish),
            "tanh" => Ok(nn::ActivationKind::Tanh),
            "sigmoid" => Ok(nn::ActivationKind::Sigmoid),
            other => {
                let known = "gelu, relu, relu6, silu, hardswish, tanh or sigmoid";
                Err(self.wrong("hidden_act", &Value::from(other), known))
            }
        }
    }

    /// Refuses a file that asks for what is not built here.
    ///
    /// # Errors
    /// The file's `key` is something else than `only`.
    pub fn require(&self, key: &str, only: &Value) -> Result<()> {
        match self.values.get(key) {
            Some(found) if found != only && !found.is_null() => {
                Err(self.wrong(key, found, &only.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Number of classes that the file names; without labels transformers has two.
    pub fn num_labels(&self) -> Option<i64> {
        let labels = self.values.get("id2label").and_then(Value::as_object).map(|labels| labels.len() as i64);
        let number = self.values.get("num_labels").and_then(Value::as_i64);
        number.or(labels).or(self.is_given().then_some(2))
    }

    /// Names of the classes in the order of the outputs; empty where the file has not one for each.
    pub fn class_names(&self) -> Vec<String> {
        let Some(Value::Object(labels)) = self.values.get("id2label") else { return Vec::new() };
        let name = |index: usize| labels.get(&index.to_string())?.as_str().map(str::to_owned);
        (0..labels.len()).map(name).collect::<Option<_>>().unwrap_or_default()
    }

    fn pick<T>(
        &self,
        key: &str,
        given: Option<T>,
        default: T,
        read: impl Fn(&Value) -> Option<T>,
        expected: &str,
    ) -> Result<T> {
        match (given, self.values.get(key)) {
            (Some(given), _) => Ok(given),
            (None, None | Some(Value::Null)) => Ok(default),
            (None, Some(value)) => read(value).ok_or_else(|| self.wrong(key, value, expected)),
        }
    }

    fn wrong(&self, key: &str, found: &Value, expected: &str) -> Error {
        let place = self.path.display();
        config_error(format!("`config`: {place}: `{key}` is {found}, expected {expected}"))
    }
}

/// What the program ends with as with any fault of a run config.
pub(super) fn config_error(message: String) -> Error {
    Error::of(ErrorKind::Config, message)
}
