//! Hugging Face's `config.json`.

use std::path::{Path, PathBuf};

use thaw_plugin_api::serde_json::{self, Map, Value};

use super::SizeError;

/// What Hugging Face calls it.
const FILE: &str = "config.json";
/// How the classes that it was trained as end, whose layout is `sequence-classification`.
const SEQUENCE_CLASSIFICATION: &str = "ForSequenceClassification";

/// A `config.json`; empty where there is none, so that every size has its default.
#[derive(Clone, Debug, Default)]
pub struct HubConfig {
    path: PathBuf,
    values: Map<String, Value>,
}

impl HubConfig {
    /// Reads the file (a folder stands for its `config.json`) and checks that it describes one of `families`;
    /// `models` has the ids of those for other families.
    ///
    /// # Errors
    /// No such file, no JSON object, another family.
    pub fn read(path: &Path, families: &[&str], models: &[(&str, &[&str])]) -> Result<Self, SizeError> {
        let of_folder;
        let path = if path.is_dir() {
            of_folder = path.join(FILE);
            of_folder.as_path()
        } else {
            path
        };
        let text = std::fs::read_to_string(path)
            .map_err(|source| SizeError::Read { path: path.to_owned(), source })?;
        let values = serde_json::from_str(&text)
            .map_err(|error| SizeError::Format { path: path.to_owned(), reason: error.to_string() })?;
        let config = Self { path: path.to_owned(), values };
        // The oldest files have no model_type.
        let Some(found) = config.values.get("model_type") else { return Ok(config) };
        let found = found.as_str().unwrap_or_default().to_owned();
        if families.contains(&found.as_str()) {
            return Ok(config);
        }
        let model = models.iter().find(|(_, families)| families.contains(&found.as_str()));
        Err(SizeError::Family {
            path: path.to_owned(),
            hint: model.map(|(id, _)| format!("; the model for it is `{id}`")),
            found,
            expected: families.iter().map(|family| format!("`{family}`")).collect::<Vec<_>>().join(" or "),
        })
    }

    /// A whole number of at least `least`: as given, else the file's, else the default.
    ///
    /// # Errors
    /// The file has something else.
    pub fn integer(&self, key: &str, given: Option<i64>, default: i64, least: i64) -> Result<i64, SizeError> {
        let found = |value: &Value| value.as_i64().filter(|number| *number >= least);
        self.pick(key, given, default, found, &format!("a whole number of at least {least}"))
    }

    /// A number in 0..=1.
    ///
    /// # Errors
    /// The file has something else.
    pub fn fraction(&self, key: &str, given: Option<f64>, default: f64) -> Result<f64, SizeError> {
        let found = |value: &Value| value.as_f64().filter(|number| (0.0..=1.0).contains(number));
        self.pick(key, given, default, found, "a number in 0..=1")
    }

    /// Whether there is a file.
    pub fn is_given(&self) -> bool {
        !self.values.is_empty()
    }

    /// What the file has under a key, null excepted.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.values.get(key).filter(|value| !value.is_null())
    }

    /// Yes or no.
    ///
    /// # Errors
    /// The file has something else.
    pub fn flag(&self, key: &str, given: Option<bool>, default: bool) -> Result<bool, SizeError> {
        self.pick(key, given, default, Value::as_bool, "true or false")
    }

    /// A text.
    ///
    /// # Errors
    /// The file has something else.
    pub fn text(&self, key: &str, given: Option<&str>, default: &str) -> Result<String, SizeError> {
        let found = |value: &Value| value.as_str().map(str::to_owned);
        self.pick(key, given.map(str::to_owned), default.to_owned(), found, "a text")
    }

    /// Number of classes that the file names: `num_labels`, else the length of `id2label`.
    pub fn num_labels(&self) -> Option<i64> {
        let labels = self.values.get("id2label").and_then(Value::as_object);
        self.values
            .get("num_labels")
            .and_then(Value::as_i64)
            .or_else(|| labels.map(|labels| labels.len() as i64))
    }

    /// The class of a trained sequence classifier that the file is of, if it is.
    pub fn sequence_classifier(&self) -> Option<&str> {
        let classes = self.values.get("architectures")?.as_array()?;
        classes.iter().filter_map(Value::as_str).find(|class| class.ends_with(SEQUENCE_CLASSIFICATION))
    }

    /// Names of the classes in the order of the outputs; empty where the file has none, or not one for each.
    ///
    /// # Errors
    /// `id2label` has keys other than 0, 1, …, or values that are no texts.
    pub fn class_names(&self) -> Result<Vec<String>, SizeError> {
        let Some(Value::Object(labels)) = self.values.get("id2label") else { return Ok(Vec::new()) };
        let name = |index: usize| labels.get(&index.to_string())?.as_str().map(str::to_owned);
        let names: Option<Vec<String>> = (0..labels.len()).map(name).collect();
        names.ok_or_else(|| {
            let found = Value::Object(labels.clone());
            self.value_error("id2label", &found, "a text for each of \"0\", \"1\", …, in a row")
        })
    }

    /// Refuses a file that asks for what is not built here.
    ///
    /// # Errors
    /// The file's `key` is something else than `only`.
    pub fn require(&self, key: &str, only: &Value) -> Result<(), SizeError> {
        match self.values.get(key) {
            Some(found) if found != only && !found.is_null() => {
                Err(self.value_error(key, found, &only.to_string()))
            }
            _ => Ok(()),
        }
    }

    fn pick<T>(
        &self,
        key: &str,
        given: Option<T>,
        default: T,
        read: impl Fn(&Value) -> Option<T>,
        expected: &str,
    ) -> Result<T, SizeError> {
        if let Some(given) = given {
            return Ok(given);
        }
        match self.values.get(key) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => read(value).ok_or_else(|| self.value_error(key, value, expected)),
        }
    }

    fn value_error(&self, key: &str, found: &Value, expected: &str) -> SizeError {
        SizeError::Value {
            path: self.path.clone(),
            key: key.to_owned(),
            found: found.to_string(),
            expected: expected.to_owned(),
        }
    }
}
