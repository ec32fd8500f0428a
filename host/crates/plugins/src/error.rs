//! What can be wrong with a plugin.

use std::path::PathBuf;

use thaw_plugin_api::abi::Kind;

use thaw_terminal::escape::{self, escape};

/// A plugin that was refused, or one that failed.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// No file of this name.
    #[error(
        "plugin `{name}` was not found; looked for {names} in {places}{hint}; build it, or name its folder \
         with --plugin-dir or $THAW_PLUGIN_PATH"
    )]
    NotFound {
        /// As asked for.
        name: String,
        /// File names that were tried.
        names: String,
        /// Folders that were tried.
        places: String,
        /// The nearest name among the plugins there.
        hint: String,
    },
    /// A checkpoint names a file, which is not taken from it.
    #[error(
        "the run of this checkpoint had a plugin from the file {}; a checkpoint may be somebody else's, so \
         that no file is taken from it, and there is no plugin `{}` in {places}; if you trust that file, \
         name it with --plugin {}",
        escape::path(file),
        escape(name),
        escape::path(file)
    )]
    FileOfCheckpoint {
        /// As the checkpoint names it.
        file: PathBuf,
        /// The name that was looked for.
        name: String,
        /// Folders that were tried.
        places: String,
    },
    /// A strategy that took over in a run; the run directory is not where its code comes from.
    #[error(
        "strategy `{}` of plugin `{}` took over in this run from a file; a run directory may be somebody \
         else's, so that no plugin is taken from it; if you trust this one, name it with --plugin {} \
         (SHA-256 {})",
        escape(id),
        escape(plugin),
        escape::path(file),
        escape(sha256)
    )]
    FileOfSwap {
        /// The strategy.
        id: String,
        /// Its plugin.
        plugin: String,
        /// The run's copy.
        file: PathBuf,
        /// Of that file, as the journal says.
        sha256: String,
    },
    /// The system's loader refuses the file.
    #[error("{}: not a library that can be loaded here: {reason}; expected what cargo builds of a crate with \
             `crate-type = [\"cdylib\"]`", path.display())]
    NoLibrary {
        /// The file.
        path: PathBuf,
        /// The loader's words.
        reason: String,
    },
    /// A library without a root.
    #[error(
        "{}: a library, but no Thaw plugin; does its crate say `crate-type = [\"cdylib\"]` and \
         `export_plugin!(…)`?",
        path.display()
    )]
    NoPlugin {
        /// The file.
        path: PathBuf,
    },
    /// Built against another major version of plugin-api, or with a layout that does not fit.
    #[error(
        "{}: built against thaw-plugin-api {found}, this host has {expected}: rebuild the plugin against \
         {major}.x",
        path.display()
    )]
    PluginApi {
        /// The file.
        path: PathBuf,
        /// The plugin's version.
        found: String,
        /// The host's version.
        expected: String,
        /// The host's major version.
        major: u64,
        /// abi_stable's own report, for `-v`.
        details: String,
    },
    /// A panic would end the process.
    #[error("{}: built with `panic = \"abort\"`; build it with `panic = \"unwind\"`, so that a panic can be \
             reported", path.display())]
    PanicAborts {
        /// The file.
        path: PathBuf,
    },
    /// Built for another libtorch.
    #[error("{}: built for {found}, this host has {expected}: build both with the same libtorch and \
             tch", path.display())]
    Libtorch {
        /// The file.
        path: PathBuf,
        /// The plugin's versions.
        found: String,
        /// The host's versions.
        expected: String,
    },
    /// What the plugin says of itself cannot be used.
    #[error("{}: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Two plugins offer the same id.
    #[error("the {kind} `{id}` is offered twice, by {} and by {}: load one of \
             them", first.display(), second.display())]
    DuplicateId {
        /// Strategy, callback or model.
        kind: Kind,
        /// The id.
        id: String,
        /// The plugin loaded first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// No loaded plugin offers the id.
    #[error("no loaded plugin has a {kind} `{id}`{hint}")]
    UnknownId {
        /// What was looked for.
        kind: String,
        /// The id.
        id: String,
        /// The nearest ids, or those there are.
        hint: String,
    },
    /// A file that is not the one pinned by the run config.
    #[error("{}: its SHA-256 is {found}, the run config pins {expected}; if the file is meant, pin it with \
             `host plugin lock CONFIG`", path.display())]
    Pin {
        /// The file.
        path: PathBuf,
        /// Of the file.
        found: String,
        /// Of the config.
        expected: String,
    },
    /// `host plugin check` found something.
    #[error("{}: {failed} of {run} checks failed", path.display())]
    Checks {
        /// The file.
        path: PathBuf,
        /// Checks that failed.
        failed: usize,
        /// Checks that were run.
        run: usize,
    },
    /// A file that others can change, under `--strict-plugins`.
    #[error("{}: refused by --strict-plugins: {} {reason}", path.display(), place.display())]
    Untrusted {
        /// The file.
        path: PathBuf,
        /// What others can change: it, or a folder or link on the way to it.
        place: PathBuf,
        /// How, and what to do.
        reason: String,
    },
    /// A file that was not the same before and after it was opened.
    #[error("{}: the file changed while it was loaded; try again when it is built", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Code of the plugin failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

/// An error or panic of a plugin's code: who, in what, and what it said.
#[derive(Debug, thiserror::Error)]
#[error("{kind} `{id}` of plugin `{plugin}` failed in `{hook}`: {error}")]
pub struct Failure {
    /// Package name of the plugin.
    pub plugin: String,
    /// Strategy, callback or model.
    pub kind: Kind,
    /// The id.
    pub id: String,
    /// The hook, or what else was called.
    pub hook: String,
    /// What the plugin said.
    pub error: thaw_plugin_api::Error,
}

impl Failure {
    /// Whether the configuration is at fault rather than the plugin.
    pub fn is_config(&self) -> bool {
        self.error.kind() == thaw_plugin_api::error::ErrorKind::Config
    }
}

impl PluginError {
    /// Whether the run config is at fault rather than the plugin: the exit code is 2 then.
    pub fn is_config(&self) -> bool {
        match self {
            Self::UnknownId { .. } => true,
            Self::Failed(failure) => failure.is_config(),
            _ => false,
        }
    }

    /// More than the message says, for `-v`.
    pub fn details(&self) -> Option<&str> {
        match self {
            Self::PluginApi { details, .. } if !details.is_empty() => Some(details),
            _ => None,
        }
    }
}
