//! The keys of a run config.

use std::path::Path;

use serde_json::Value;
use thaw_plugin_api::config::{Config, ConfigError, Key};

use super::{CheckpointConfig, DevRun, LossConfig, RunConfig, TrainerConfig};
use thaw_data::DataConfig;
use thaw_loggers::LoggerConfig;
use thaw_optim::optimizer::OptimizerConfig;
use thaw_optim::scheduler::SchedulerConfig;
use thaw_weights::WeightsConfig;

/// A run of Thaw: what is trained, on what, by which strategies and callbacks.
#[derive(Config)]
#[config(check = RunTable::check)]
pub(super) struct RunTable {
    /// Seed of weights, order and augmentation.
    #[config(default = 42)]
    seed: u64,
    /// Plugins to load: names that are looked for, or paths, relative to this file.
    #[config(default = Vec::new())]
    plugins: Vec<PluginEntry>,
    /// The model: `id`, `weights`, and its own keys.
    model: ModelTable,
    /// The data; `predict` does without.
    data: Option<DataConfig>,
    /// The optimizer. Default: the model's own choice, or AdamW.
    optimizer: Option<OptimizerConfig>,
    /// The schedule of the rates. Default: they stay.
    scheduler: Option<SchedulerConfig>,
    /// Strategies and callbacks, in the order of their hooks: `id` and their own keys.
    #[config(default = Vec::new())]
    callbacks: Vec<CallbackTable>,
    /// The loop, by Lightning's names.
    trainer: TrainerConfig,
    /// What is kept, by the names of Lightning's `ModelCheckpoint`.
    checkpoint: CheckpointConfig,
    /// Where the run logs besides its own records: `kind` and its keys.
    #[config(default = Vec::new())]
    loggers: Vec<LoggerConfig>,
    /// The loss of training and validation. Default: the task's.
    loss: Option<LossConfig>,
}

impl RunTable {
    fn check(&mut self) -> Result<(), ConfigError> {
        thaw_loggers::check(&self.loggers, &Key::root().child("loggers"))
    }

    /// The config of the file at `path`, which holds `table`.
    pub(super) fn into_config(self, path: &Path, table: Value) -> RunConfig {
        let Self {
            seed,
            plugins,
            model,
            data,
            optimizer,
            scheduler,
            callbacks,
            mut trainer,
            mut checkpoint,
            mut loggers,
            loss,
        } = self;
        DevRun::apply(&mut trainer, &mut checkpoint, &mut loggers);
        RunConfig {
            path: path.to_path_buf(),
            table,
            seed,
            plugins,
            model,
            data,
            optimizer,
            scheduler,
            callbacks,
            trainer,
            checkpoint,
            loggers,
            loss,
            hub: None,
        }
    }
}

/// A plugin of the config: a name or path, perhaps with the digest that pins it.
#[derive(Clone, Debug, Config)]
#[config(short = path)]
pub struct PluginEntry {
    /// Name or path.
    pub path: String,
    /// SHA-256 that the file must have.
    pub sha256: Option<String>,
    /// Who named it.
    #[config(skip)]
    pub origin: PluginOrigin,
}

/// Who named a plugin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PluginOrigin {
    /// The user, in a run config or with `--set`.
    #[default]
    Given,
    /// A checkpoint, which may be somebody else's: it is looked for by its name, and no file is taken from
    /// it.
    Checkpoint,
}

/// `[model]`.
#[derive(Clone, Debug, Config)]
pub struct ModelTable {
    /// Id of a plugin's model.
    pub id: String,
    /// Weights to start from.
    pub weights: Option<WeightsConfig>,
    /// The rest of the table: the model's own configuration.
    #[config(rest)]
    pub config: Value,
}

/// One of `[[callbacks]]`.
#[derive(Clone, Debug, Config)]
pub struct CallbackTable {
    /// Id of a plugin's strategy or callback.
    pub id: String,
    /// The rest of the table: its own configuration.
    #[config(rest)]
    pub config: Value,
}
