//! What can be wrong with sizes and with a `config.json`.

use std::path::PathBuf;

use thaw_plugin_api::{Error, error::ErrorKind};

/// Sizes of an encoder that cannot be had or built.
#[derive(Debug, thiserror::Error)]
pub enum SizeError {
    /// The file is not there or cannot be read.
    #[error("`config`: cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is no JSON object.
    #[error("`config`: {} is no config.json: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file describes another kind of model.
    #[error("`config`: {} is of model_type `{found}`, expected \
             {expected}{}", path.display(), hint.as_deref().unwrap_or_default())]
    Family {
        /// The file.
        path: PathBuf,
        /// Its `model_type`.
        found: String,
        /// The types that this model takes.
        expected: String,
        /// The model id that takes it.
        hint: Option<String>,
    },
    /// A value of the file that cannot be used.
    #[error("`config`: {}: `{key}` is {found}, expected {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
        /// Its value.
        found: String,
        /// What would do.
        expected: String,
    },
    /// Sizes that do not go together.
    #[error("{0}")]
    Sizes(String),
}

impl SizeError {
    /// As an error of the configuration, with which the program exits with 2.
    pub fn into_config_error(self) -> Error {
        Error::of(ErrorKind::Config, self)
    }
}
