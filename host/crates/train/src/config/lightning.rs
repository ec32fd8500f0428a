//! What arguments of Lightning's `Trainer` and `ModelCheckpoint` are called here.

use thaw_plugin_api::config::ConfigError;

/// Keys that a run config does not have, and what there is in their place.
const KEYS: [(&str, &str); 16] = [
    ("trainer.accelerator", "`trainer.device`"),
    ("trainer.devices", "`trainer.device` for one, and `torchrun --no-python … host fit` for several"),
    ("trainer.num_nodes", "a launcher, `torchrun` or `srun`, says it"),
    ("trainer.logger", "`[[loggers]]`, each with a `kind`"),
    ("trainer.callbacks", "`[[callbacks]]`, each with an `id`"),
    ("trainer.enable_progress_bar", "`host -q`, which is silent"),
    ("trainer.enable_checkpointing", "`checkpoint.enabled`"),
    ("trainer.enable_model_summary", "`host plan`, which shows what trains"),
    ("trainer.default_root_dir", "`--run-dir`"),
    ("trainer.limit_predict_batches", "`host predict --limit-batches`"),
    ("trainer.benchmark", "`trainer.cudnn_benchmark`"),
    ("checkpoint.save_last", "nothing to set: `last` is written always"),
    ("checkpoint.dirpath", "`--run-dir`: checkpoints lie in its `checkpoints/`"),
    ("checkpoint.filename", "nothing: names are `epoch=E-step=S`, and `best` and `last` lead to them"),
    ("checkpoint.save_weights_only", "`host export`, which writes the weights of a checkpoint"),
    ("checkpoint.train_time_interval", "`checkpoint.every_n_train_steps`"),
];

/// The end of a message about a key, where the name or the value is one of Lightning's; else nothing.
pub fn hint(error: &ConfigError) -> String {
    let here = match error {
        ConfigError::UnknownKey { key, .. } => {
            let key = key.to_string();
            KEYS.iter().find(|(theirs, _)| *theirs == key).map(|(_, here)| *here)
        }
        ConfigError::Value { key, found, .. } => match (key.to_string().as_str(), found.as_str()) {
            ("trainer.precision", "\"16-mixed\"" | "\"16\"" | "16") => Some("`fp16-mixed`"),
            ("trainer.precision", "\"32-true\"" | "\"32\"" | "32") => Some("`fp32`"),
            ("trainer.limit_val_batches", "0") => {
                Some("a run without validation data: leave out `val_path` and `val_split`")
            }
            _ => None,
        },
        ConfigError::MissingKey { .. } | ConfigError::Invalid { .. } => None,
    };
    here.map(|here| format!("; what Lightning has there is here {here}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use thaw_plugin_api::config::Config;

    /// No name of the table is one that a run config has.
    #[test]
    fn the_table_has_no_key_that_there_is() {
        let schemas = [
            ("trainer", super::super::TrainerConfig::schema()),
            ("checkpoint", super::super::CheckpointConfig::schema()),
        ];
        for (theirs, _) in KEYS {
            let (table, key) = theirs.split_once('.').unwrap();
            let (_, schema) = schemas.iter().find(|(name, _)| *name == table).unwrap();
            assert!(schema["properties"].is_object(), "{table}");
            assert!(schema["properties"][key].is_null(), "{theirs}");
        }
    }
}
