//! `fast_dev_run`: a few batches of everything, to find errors.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

use super::{BatchLimit, CheckpointConfig, TrainerConfig};
use thaw_loggers::LoggerConfig;

/// How many batches of each kind a trial takes; 0 where it is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DevRun(usize);

impl DevRun {
    /// The batches of training, validation and test; None for a run that is meant.
    pub fn batches(self) -> Option<usize> {
        Some(self.0).filter(|batches| *batches > 0)
    }

    /// Makes a trial of a run: one epoch of so many batches and steps, a validation of as many, no sanity
    /// check, no checkpoint and no logger. `overfit_batches` stays, as in Lightning.
    pub(super) fn apply(
        trainer: &mut TrainerConfig,
        checkpoint: &mut CheckpointConfig,
        loggers: &mut Vec<LoggerConfig>,
    ) {
        let Some(batches) = trainer.fast_dev_run.batches() else { return };
        let limit = Some(BatchLimit::Batches(batches));
        trainer.max_epochs = 1;
        trainer.max_steps = Some(batches);
        trainer.num_sanity_val_steps = 0;
        trainer.check_val_every_n_epoch = 1;
        trainer.val_check_interval = None;
        (trainer.limit_train_batches, trainer.limit_val_batches) = (limit, limit);
        trainer.limit_test_batches = limit;
        checkpoint.enabled = false;
        loggers.clear();
    }
}

impl Config for DevRun {
    fn schema() -> Value {
        json!({ "anyOf": [{ "type": "boolean" }, { "type": "integer", "minimum": 0 }] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let read = match value {
            Value::Bool(trial) => Some(usize::from(*trial)),
            other => other.as_u64().and_then(|batches| usize::try_from(batches).ok()),
        };
        read.map(Self).ok_or_else(|| ConfigError::mismatch(key, value, "true, false, or a number of batches"))
    }

    fn to_value(&self) -> Value {
        match self.0 {
            0 => json!(false),
            1 => json!(true),
            batches => json!(batches),
        }
    }
}
