//! Why a plugin crate was not written.

use std::io;
use std::path::PathBuf;

/// A plugin crate that was not written.
#[derive(Debug, thiserror::Error)]
pub enum ScaffoldError {
    /// A name that cargo or Thaw has no use for.
    #[error("`{name}` cannot be the name of a plugin: {reason}")]
    Name {
        /// As given.
        name: String,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// There is something of this name.
    #[error("{} is there already: choose another name, or remove it", path.display())]
    Exists {
        /// The folder, or whatever it is.
        path: PathBuf,
    },
    /// No sources of plugin-api.
    #[error("--api-path {}: {reason}; expected the folder `plugin-api` of Thaw's sources", path.display())]
    PluginApi {
        /// As given.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The folder cannot be written.
    #[error("{}: {source}", path.display())]
    Write {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
