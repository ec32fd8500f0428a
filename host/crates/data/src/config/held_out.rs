//! Data beside that of training and the main validation: further validation sets, and a test set.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

use super::DataConfig;

/// Keys of data that is neither trained on nor validated on first.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct HeldOutConfig {
    /// Further validation sets by name: a path each, or a table of `path` and the keys that are others than
    /// in `[data]`.
    pub validation: Option<ValidationSets>,
    /// What `host test` takes without `--input`: all samples of a path of this kind.
    pub test_path: Option<PathBuf>,
}

impl HeldOutConfig {
    /// The further validation sets, by their names.
    pub fn sets(&self) -> &[ValidationSet] {
        self.validation.as_ref().map_or(&[], |sets| &sets.0)
    }

    /// Its paths, by their places in the table: `test_path`, `validation/night`.
    pub(super) fn paths(&self) -> impl Iterator<Item = (String, &Path)> {
        let of_sets = self.sets().iter().map(|set| (set.place(), set.path.as_path()));
        of_sets.chain(self.test_path.as_deref().map(|path| ("test_path".to_owned(), path)))
    }
}

/// Validation sets in the order of their names.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationSets(Vec<ValidationSet>);

/// A validation set beside the main one: all samples of a path of the kind of `[data]`.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidationSet {
    /// Its name, which is in that of its metrics: `val_night_loss`.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// Keys that are others than in `[data]`; none where it is a path alone.
    keys: Option<Map<String, Value>>,
}

/// Keys that a set may have for itself.
const OWN: [&str; 12] = [
    "val_batch_size",
    "root",
    "path_column",
    "label_column",
    "label_separator",
    "text",
    "text_pair",
    "label",
    "ignore_labels",
    "resize",
    "crop_pct",
    "on_error",
];
/// Keys of `[data]` that are of other samples.
const OTHERS: [&str; 4] = ["val_path", "val_split", "validation", "test_path"];

impl ValidationSet {
    fn read(name: &str, value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let (path, keys) = match value {
            Value::String(path) => (path, None),
            Value::Object(table) => {
                let mut keys = table.clone();
                keys.remove("path");
                if let Some(unknown) = keys.keys().find(|key| !OWN.contains(&key.as_str())) {
                    let known: Vec<String> = ["path"].iter().chain(&OWN).map(|&key| key.to_owned()).collect();
                    let nearest = thaw_plugin_api::nearest(unknown, known.iter().map(String::as_str));
                    let nearest = nearest.map(str::to_owned);
                    return Err(ConfigError::UnknownKey { key: key.child(unknown), nearest, known });
                }
                match table.get("path") {
                    Some(Value::String(path)) => (path, Some(keys)),
                    Some(other) => return Err(ConfigError::mismatch(&key.child("path"), other, "a path")),
                    None => {
                        let expected = "the path of its samples".to_owned();
                        return Err(ConfigError::MissingKey { key: key.child("path"), expected });
                    }
                }
            }
            _ => return Err(ConfigError::mismatch(key, value, "a path, or a table with a `path`")),
        };
        Ok(Self { name: name.to_owned(), path: PathBuf::from(path), keys })
    }

    fn to_value(&self) -> Value {
        let path = json!(self.path);
        match &self.keys {
            None => path,
            Some(keys) => {
                let mut table = keys.clone();
                table.insert("path".to_owned(), path);
                Value::Object(table)
            }
        }
    }

    /// Where its path stands in the table of `[data]`.
    fn place(&self) -> String {
        let end = if self.keys.is_some() { "/path" } else { "" };
        format!("validation/{}{end}", self.name)
    }

    /// `[data]` as it is for this set.
    ///
    /// # Errors
    /// A key that is none of the kind.
    pub fn config(&self, data: &DataConfig) -> Result<DataConfig, ConfigError> {
        let mut table = data.to_value();
        if let Value::Object(table) = &mut table {
            table.retain(|key, value| !OTHERS.contains(&key.as_str()) && !value.is_null());
            table.insert("path".to_owned(), json!(self.path));
            table.extend(self.keys.clone().unwrap_or_default());
        }
        let key = Key::root().child("validation").child(&self.name);
        DataConfig::from_value(&table, &key)
    }
}

/// What a name may be: it stands in the names of metrics.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter))
}

impl Config for ValidationSets {
    fn schema() -> Value {
        let path = json!({ "type": "string", "format": "path" });
        let known: Vec<&str> = ["path"].into_iter().chain(OWN).collect();
        json!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z0-9_-]+$" },
            "additionalProperties": { "anyOf": [
                path,
                {
                    "type": "object",
                    "properties": { "path": path },
                    "required": ["path"],
                    "propertyNames": { "enum": known },
                },
            ] },
        })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let Value::Object(table) = value else {
            return Err(ConfigError::mismatch(key, value, "a table of names with a path each"));
        };
        let sets = table.iter().map(|(name, value)| {
            let key = key.child(name);
            if !is_name(name) {
                let expected = "letters, digits, `_` and `-` alone, as it is in the names of metrics";
                return Err(ConfigError::Value {
                    key,
                    found: "no name of a set".to_owned(),
                    expected: expected.to_owned(),
                });
            }
            ValidationSet::read(name, value, &key)
        });
        let mut sets = sets.collect::<Result<Vec<_>, _>>()?;
        sets.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(Self(sets))
    }

    fn to_value(&self) -> Value {
        Value::Object(self.0.iter().map(|set| (set.name.clone(), set.to_value())).collect())
    }
}
