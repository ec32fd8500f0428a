//! The run config: one TOML file that describes a run.

mod error;
mod lock;
mod overrides;
mod paths;
mod toml_value;
mod trainer;

use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use lock::{Pin, PinnedConfig};
pub use overrides::{apply as apply_override, sets};
pub use paths::{NamedPath, make_absolute};
use serde_json::{Map, Value, json};
use thaw_plugin_api::config::{Config, Key, ObjectReader};
pub use trainer::{Audit, CheckpointConfig, ClipAlgorithm, TrainerConfig, Weighting};

use thaw_data::DataConfig;
use thaw_optim::optimizer::OptimizerConfig;
use thaw_optim::scheduler::SchedulerConfig;
use thaw_weights::WeightsConfig;

/// A run config, read and checked. What belongs to plugins stays JSON until the plugin reads it.
#[derive(Clone, Debug)]
pub struct RunConfig {
    /// The file.
    pub path: PathBuf,
    /// Everything as JSON, overrides applied: what the run directory keeps.
    pub table: Value,
    /// Seed of weights, order and augmentation.
    pub seed: u64,
    /// Plugins to load.
    pub plugins: Vec<PluginEntry>,
    /// The model.
    pub model: ModelTable,
    /// The data; `predict` does without.
    pub data: Option<DataConfig>,
    /// The optimizer; where it is missing, the model's own choice or AdamW.
    pub optimizer: Option<OptimizerConfig>,
    /// The scheduler.
    pub scheduler: Option<SchedulerConfig>,
    /// Strategies and callbacks, in the order of their hooks.
    pub callbacks: Vec<CallbackTable>,
    /// The loop.
    pub trainer: TrainerConfig,
    /// What is kept.
    pub checkpoint: CheckpointConfig,
}

/// A plugin of the config: a name or path, perhaps with the digest that pins it.
#[derive(Clone, Debug)]
pub struct PluginEntry {
    /// Name or path.
    pub path: String,
    /// SHA-256 that the file must have.
    pub sha256: Option<String>,
    /// Who named it.
    pub origin: PluginOrigin,
}

/// Who named a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PluginOrigin {
    /// The user, in a run config or with `--set`.
    Given,
    /// A checkpoint, which may be somebody else's: it is looked for by its name, and no file is taken from
    /// it.
    Checkpoint,
}

/// `[model]`.
#[derive(Clone, Debug)]
pub struct ModelTable {
    /// The model's id.
    pub id: String,
    /// Weights to start from.
    pub weights: Option<WeightsConfig>,
    /// The rest of the table: the model's own configuration.
    pub config: Value,
}

/// One of `[[callbacks]]`.
#[derive(Clone, Debug)]
pub struct CallbackTable {
    /// The id of a strategy or callback.
    pub id: String,
    /// The rest of the table: its own configuration.
    pub config: Value,
}

impl RunConfig {
    /// Keys of the outermost table.
    pub const KEYS: [&str; 9] =
        ["seed", "plugins", "model", "data", "optimizer", "scheduler", "callbacks", "trainer", "checkpoint"];

    /// Reads a file and applies `--set` overrides.
    ///
    /// # Errors
    /// A file that cannot be read, text that is no TOML, an unknown key, a value of another type or out of
    /// range.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Toml {
            path: path.to_path_buf(),
            message: error.to_string(),
        })?;
        Self::from_table(path, toml_value::to_json(toml::Value::Table(table)), overrides)
    }

    /// Reads a config that is JSON already, as a checkpoint keeps it.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn from_table(path: &Path, mut table: Value, overrides: &[String]) -> Result<Self, ConfigError> {
        for text in overrides {
            overrides::apply(&mut table, text)?;
        }
        let wrong = |error: thaw_plugin_api::config::ConfigError| ConfigError::Key {
            path: path.to_path_buf(),
            error,
        };
        let section = |name: &str, message: String| ConfigError::Section {
            path: path.to_path_buf(),
            section: name.to_owned(),
            message,
        };
        refuse_unknown(&table).map_err(wrong)?;
        let part = |name: &str| table.get(name).filter(|value| !value.is_null()).cloned();
        let root = Key::root();

        let model = part("model").ok_or_else(|| wrong(missing("model")))?;
        let (id, mut rest) = split_id(&model, &root.child("model")).map_err(wrong)?;
        let weights = rest.remove("weights").map(serde_json::from_value).transpose();
        let weights = weights
            .map_err(|error: serde_json::Error| section("model.weights", with_nearest(&error.to_string())))?;
        let model = ModelTable { id, weights, config: Value::Object(rest) };

        let data = part("data")
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| section("data", error.to_string()))?;
        let optimizer = part("optimizer")
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| section("optimizer", error.to_string()))?;
        let scheduler = part("scheduler")
            .map(serde_json::from_value)
            .transpose()
            .map_err(|error| section("scheduler", error.to_string()))?;
        let callbacks = part("callbacks").unwrap_or_else(|| json!([]));
        if callbacks.is_object() {
            return Err(section(
                "callbacks",
                "found one table, expected a list: write `[[callbacks]]`".to_owned(),
            ));
        }
        let callbacks = Vec::<Value>::from_value(&callbacks, &root.child("callbacks")).map_err(wrong)?;
        let callbacks = callbacks.iter().enumerate().map(|(index, table)| {
            let (id, rest) = split_id(table, &root.child("callbacks").element(index))?;
            Ok(CallbackTable { id, config: Value::Object(rest) })
        });
        let empty = || json!({});
        Ok(Self {
            path: path.to_path_buf(),
            seed: u64::from_value(&part("seed").unwrap_or_else(|| json!(42)), &root.child("seed"))
                .map_err(wrong)?,
            plugins: plugin_entries(&part("plugins").unwrap_or_else(|| json!([]))).map_err(wrong)?,
            model,
            data,
            optimizer,
            scheduler,
            callbacks: callbacks.collect::<Result<_, _>>().map_err(wrong)?,
            trainer: TrainerConfig::from_value(
                &part("trainer").unwrap_or_else(empty),
                &root.child("trainer"),
            )
            .map_err(wrong)?,
            checkpoint: CheckpointConfig::from_value(
                &part("checkpoint").unwrap_or_else(empty),
                &root.child("checkpoint"),
            )
            .map_err(wrong)?,
            table,
        })
    }

    /// Name of the run: the file's, without its ending.
    pub fn name(&self) -> String {
        self.path.file_stem().map_or_else(|| "run".to_owned(), |stem| stem.to_string_lossy().into_owned())
    }

    /// Takes a strategy's or callback's own configuration for the one in the file.
    pub fn set_callback(&mut self, index: usize, config: Value) {
        if let (Some(known), Some(table)) =
            (self.callbacks.get_mut(index), self.table["callbacks"].get_mut(index))
        {
            let mut keys = Map::from_iter([("id".to_owned(), json!(known.id))]);
            keys.extend(config.as_object().cloned().unwrap_or_default());
            *table = Value::Object(keys);
            known.config = config;
        }
    }

    /// Gives the model's own configuration a key that was left out.
    pub fn set_model_key(&mut self, key: &str, value: Value) {
        for table in [self.table.get_mut("model"), Some(&mut self.model.config)].into_iter().flatten() {
            if let Some(table) = table.as_object_mut() {
                table.insert(key.to_owned(), value.clone());
            }
        }
    }

    /// The config with every default of the loop filled in, as TOML.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub fn resolved(&self) -> Result<String, ConfigError> {
        let mut table = self.table.clone();
        if let Some(object) = table.as_object_mut() {
            object.insert("seed".to_owned(), json!(self.seed));
            object.insert("trainer".to_owned(), self.trainer.to_value());
            object.insert("checkpoint".to_owned(), self.checkpoint.to_value());
        }
        without_nulls(&mut table);
        toml::to_string_pretty(&table)
            .map_err(|error| ConfigError::Toml { path: self.path.clone(), message: error.to_string() })
    }
}

fn refuse_unknown(table: &Value) -> Result<(), thaw_plugin_api::config::ConfigError> {
    let mut reader = ObjectReader::new(table, &Key::root())?;
    for key in RunConfig::KEYS {
        reader.field::<Option<Value>>(key, None)?;
    }
    reader.finish()
}

/// serde's message of an unknown field, with the nearest of the fields that it lists.
fn with_nearest(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown field"));
    let nearest = unknown.and_then(|unknown| thaw_plugin_api::nearest(unknown, names));
    nearest.map_or_else(|| message.to_owned(), |nearest| format!("{message}; did you mean `{nearest}`?"))
}

fn missing(key: &str) -> thaw_plugin_api::config::ConfigError {
    thaw_plugin_api::config::ConfigError::MissingKey {
        key: Key::root().child(key),
        expected: "a table".to_owned(),
    }
}

/// Takes `id` out of a table; the rest is the plugin's.
fn split_id(
    table: &Value,
    key: &Key,
) -> Result<(String, Map<String, Value>), thaw_plugin_api::config::ConfigError> {
    let mut rest = table.as_object().cloned().ok_or_else(|| thaw_plugin_api::config::ConfigError::Value {
        key: key.clone(),
        found: table.to_string(),
        expected: "a table with an `id`".to_owned(),
    })?;
    let id = rest.remove("id").ok_or_else(|| thaw_plugin_api::config::ConfigError::MissingKey {
        key: key.child("id"),
        expected: "the id of a plugin's model, strategy or callback".to_owned(),
    })?;
    Ok((String::from_value(&id, &key.child("id"))?, rest))
}

fn plugin_entries(value: &Value) -> Result<Vec<PluginEntry>, thaw_plugin_api::config::ConfigError> {
    let key = Key::root().child("plugins");
    let entries = Vec::<Value>::from_value(value, &key)?;
    let entries = entries.iter().enumerate().map(|(index, entry)| {
        let key = key.element(index);
        if let Some(path) = entry.as_str() {
            return Ok(PluginEntry { path: path.to_owned(), sha256: None, origin: PluginOrigin::Given });
        }
        let mut reader = ObjectReader::new(entry, &key)?;
        let (path, sha256) = (reader.field("path", None)?, reader.field("sha256", None)?);
        let entry = PluginEntry { path, sha256, origin: PluginOrigin::Given };
        reader.finish()?;
        Ok(entry)
    });
    entries.collect()
}

/// TOML has no null: a missing key says the same.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(without_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
