//! What is wrong with a run config.

use std::path::PathBuf;

/// A run config that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: cannot read the run config: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no TOML.
    #[error("{}: {message}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Place and reason.
        message: String,
    },
    /// A key that does not fit.
    #[error("{}: {error}{}", path.display(), super::lightning::hint(error))]
    Key {
        /// The file.
        path: PathBuf,
        /// Key, found, expected.
        error: thaw_plugin_api::config::ConfigError,
    },
    /// A table that a plugin's strategy, callback or model does not take, or an id that no plugin offers.
    #[error("{}: {table}: {message}", path.display())]
    Plugin {
        /// The file.
        path: PathBuf,
        /// The table, such as `[model]` or `callbacks[0]`.
        table: String,
        /// Who refuses it, the key, found, expected.
        message: String,
    },
    /// `--set` that cannot be applied.
    #[error("--set {text}: {reason}")]
    Override {
        /// As given.
        text: String,
        /// Why not.
        reason: String,
    },
    /// What a command needs and the config lacks.
    #[error("{}: {message}", path.display())]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// What is missing.
        message: String,
    },
}
