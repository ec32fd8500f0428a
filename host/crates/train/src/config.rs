//! The run config: one TOML file that describes a run.

mod accumulation;
mod activation_checkpointing;
mod batch_limit;
mod channels_last;
mod dev_run;
mod error;
mod hub_model;
mod lightning;
mod lock;
mod loss;
mod max_time;
mod overrides;
mod paths;
mod schema;
mod table;
mod toml_value;
mod trainer;

use std::path::{Path, PathBuf};

pub use accumulation::Accumulation;
pub use activation_checkpointing::ActivationCheckpointing;
pub use batch_limit::BatchLimit;
pub use channels_last::ChannelsLast;
pub use dev_run::DevRun;
pub use error::ConfigError;
pub use hub_model::{FAMILIES, Family, HubHead, HubModel, Inputs, PictureSize};
pub use lock::{Pin, PinnedConfig};
pub use loss::{ClassWeights, LossConfig, LossKind, PosWeight};
pub use max_time::MaxTime;
pub use overrides::{apply as apply_override, sets};
pub use paths::{NamedPath, make_absolute};
use serde_json::{Map, Value, json};
use table::RunTable;
pub use table::{CallbackTable, ModelTable, PluginEntry, PluginOrigin};
use thaw_plugin_api::config::{Config, Key, drop_nulls};
pub use trainer::{
    Audit, Backend, CacheDtype, CacheFiles, CheckpointConfig, CheckpointWrite, ClipAlgorithm, FrozenCache,
    FrozenPrecision, GradientCompression, Profiler, Strategy, TrainerConfig, Weighting,
};

use thaw_data::DataConfig;
use thaw_loggers::LoggerConfig;
use thaw_optim::optimizer::OptimizerConfig;
use thaw_optim::scheduler::SchedulerConfig;

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
    /// Where the run logs besides its own records.
    pub loggers: Vec<LoggerConfig>,
    /// The loss; where it is missing, the model's own or its task's.
    pub loss: Option<LossConfig>,
    /// The directory of Hugging Face that `[model] path` named.
    pub hub: Option<HubModel>,
}

impl RunConfig {
    /// Whether a sample may have several labels.
    pub fn is_multi_label(&self) -> bool {
        self.loss.as_ref().is_some_and(LossConfig::is_multi_label)
    }

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
        let wrong = |error| ConfigError::Key { path: path.to_path_buf(), error };
        LISTS.iter().try_for_each(|list| refuse_single(&table, list)).map_err(wrong)?;
        let hub = hub_model::expand(&mut table).map_err(wrong)?;
        let read = RunTable::from_value(&without_nulls(&table), &Key::root()).map_err(wrong)?;
        Ok(RunConfig { hub, ..read.into_config(path, table) })
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

    /// Leaves these modules of the model out of the weights that it starts from.
    pub fn ignore_weights(&mut self, modules: &[String]) {
        let Some(weights) = self.model.weights.as_mut().filter(|_| !modules.is_empty()) else { return };
        weights.ignore.extend(modules.iter().cloned());
        if let Some(given) = self.table.pointer_mut("/model/weights") {
            let mut table = given.as_object().cloned().unwrap_or_default();
            table.insert("path".to_owned(), json!(weights.path));
            table.insert("ignore".to_owned(), json!(weights.ignore));
            *given = Value::Object(table);
        }
    }

    /// The config with every default of the loop filled in, as TOML.
    ///
    /// # Errors
    /// A value that TOML cannot hold.
    pub fn resolved(&self) -> Result<String, ConfigError> {
        toml::to_string_pretty(&self.resolved_table())
            .map_err(|error| ConfigError::Toml { path: self.path.clone(), message: error.to_string() })
    }

    /// The same as JSON; what has no value is left out.
    pub fn resolved_table(&self) -> Value {
        let mut table = self.table.clone();
        if let Some(object) = table.as_object_mut() {
            object.insert("seed".to_owned(), json!(self.seed));
            object.insert("trainer".to_owned(), self.trainer.to_value());
            object.insert("checkpoint".to_owned(), self.checkpoint.to_value());
        }
        drop_nulls(&mut table);
        table
    }
}

/// Sections that are lists of tables.
const LISTS: [&str; 2] = ["callbacks", "loggers"];

/// A single table where TOML wants a list of them.
fn refuse_single(table: &Value, list: &str) -> Result<(), thaw_plugin_api::config::ConfigError> {
    if table.get(list).is_some_and(Value::is_object) {
        let expected = format!("a list: write `[[{list}]]`");
        return Err(thaw_plugin_api::config::ConfigError::value(list, "one table", expected));
    }
    Ok(())
}

/// The table without sections that are null, as older checkpoints may have them.
fn without_nulls(table: &Value) -> Value {
    let mut table = table.clone();
    if let Some(sections) = table.as_object_mut() {
        sections.retain(|_, section| !section.is_null());
    }
    table
}

#[cfg(test)]
mod tests;
