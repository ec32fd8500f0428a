//! The tables `[[loggers]]`.

use std::path::{Path, PathBuf};

use thaw_plugin_api::config::{Config, ConfigError, Key, above_to};

/// One of `[[loggers]]`.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(tag = "kind")]
pub enum LoggerConfig {
    /// A table of all metrics, `metrics.csv`, as Lightning's `CSVLogger` writes it.
    Csv(CsvConfig),
    /// Event files that TensorBoard reads.
    Tensorboard(TensorboardConfig),
    /// A run of an MLflow server. Credentials are those of MLflow's own client, from the environment:
    /// `MLFLOW_TRACKING_TOKEN`, or `MLFLOW_TRACKING_USERNAME` with `MLFLOW_TRACKING_PASSWORD`.
    Mlflow(MlflowConfig),
}

/// Keys of `kind = "csv"`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct CsvConfig {
    /// Folder for `metrics.csv`. Default: the run directory.
    pub path: Option<PathBuf>,
}

/// Keys of `kind = "tensorboard"`.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct TensorboardConfig {
    /// Folder for event files. Default: `tensorboard` in the run directory.
    pub path: Option<PathBuf>,
    /// Epochs between histograms of all parameters; 0 for none.
    #[config(default = 0)]
    pub histograms: usize,
    /// Whether validations log their pictures that are most confidently wrong, and least certain.
    #[config(default = false)]
    pub pictures: bool,
}

/// Keys of `kind = "mlflow"`.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = MlflowConfig::check)]
pub struct MlflowConfig {
    /// Address of the server, `http://` or `https://`. Default: the environment's `MLFLOW_TRACKING_URI`.
    pub tracking_uri: Option<String>,
    /// Name of the experiment, which is made where there is none.
    #[config(default = "Default")]
    pub experiment: String,
    /// Name of the run. Default: that of the run directory.
    pub run_name: Option<String>,
    /// Seconds that the server has for an answer, and, as long as it keeps answering, for all that is left at
    /// the run's end.
    #[config(default = 10.0, range = above_to(0.0, 3600.0))]
    pub timeout: f64,
}

impl MlflowConfig {
    fn check(&mut self) -> Result<(), ConfigError> {
        let Some(uri) = &self.tracking_uri else { return Ok(()) };
        let host = uri.strip_prefix("http://").or_else(|| uri.strip_prefix("https://"));
        let expected = match host {
            None => "an address that begins with `http://` or `https://`",
            Some(host) if host.split('/').next().is_some_and(|host| host.contains('@')) => {
                // A run config is kept, copied and shown.
                return Err(ConfigError::value(
                    "tracking_uri",
                    "an address with a password",
                    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD in the environment instead",
                ));
            }
            Some(_) => return Ok(()),
        };
        Err(ConfigError::value("tracking_uri", uri, expected))
    }
}

impl LoggerConfig {
    /// Its kind, as in the table.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
            Self::Tensorboard(_) => "tensorboard",
            Self::Mlflow(_) => "mlflow",
        }
    }

    /// The folder that it was given.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Csv(config) => config.path.as_deref(),
            Self::Tensorboard(config) => config.path.as_deref(),
            Self::Mlflow(_) => None,
        }
    }

    /// What it is called in messages and checkpoints: its kind, with its folder where one is given. Its own
    /// among loggers that [`check`] took.
    pub fn name(&self) -> String {
        match self.path() {
            Some(path) => format!("{} in {}", self.kind(), path.display()),
            None => self.kind().to_owned(),
        }
    }
}

/// Refuses two loggers that would write the same files.
///
/// # Errors
/// The key of the second one.
pub fn check(loggers: &[LoggerConfig], key: &Key) -> Result<(), ConfigError> {
    for (index, logger) in loggers.iter().enumerate() {
        if loggers[..index].iter().any(|before| before.name() == logger.name()) {
            let key = key.element(index).to_string();
            let expected = "one logger of a kind, or another `path` than the one before";
            return Err(ConfigError::value(&key, logger.name(), expected));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(tables: Value) -> Result<Vec<LoggerConfig>, ConfigError> {
        let key = Key::root().child("loggers");
        let loggers = Vec::from_value(&tables, &key)?;
        check(&loggers, &key)?;
        Ok(loggers)
    }

    #[test]
    fn an_unknown_kind_and_an_unknown_key_name_the_nearest() {
        let error = read(json!([{ "kind": "cvs" }])).unwrap_err().to_string();
        assert!(error.contains("loggers") && error.contains("did you mean `csv`?"), "{error}");
        let error = read(json!([{ "kind": "csv", "paht": "logs" }])).unwrap_err().to_string();
        assert!(error.contains("did you mean `path`?"), "{error}");
    }

    #[test]
    fn two_loggers_do_not_write_the_same_file() {
        let error = read(json!([{ "kind": "csv" }, { "kind": "csv" }])).unwrap_err().to_string();
        assert!(error.contains("another `path`"), "{error}");
        assert_eq!(read(json!([{ "kind": "csv" }, { "kind": "csv", "path": "logs" }])).unwrap().len(), 2);
    }
}
