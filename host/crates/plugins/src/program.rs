//! What the program itself offers, beside plugin files.

use std::path::PathBuf;

use thaw_plugin_api::abi::{Metadata, PluginRoot_Ref, install_hook};

use super::compatibility::check_metadata;
use super::{LoadedPlugin, PluginError};

impl LoadedPlugin {
    /// What [`this_program!`](thaw_plugin_api::this_program) says that the program offers, as if it came from
    /// a plugin. Its events go into the program's log as they are, and errors name the program's file.
    ///
    /// # Errors
    /// An id that is not made of `a-z`, `0-9` and `-`, or one that is there twice.
    pub fn of_program(root: PluginRoot_Ref) -> Result<Self, PluginError> {
        let path = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("this program"));
        let text = root.metadata()();
        let metadata = Metadata::read(&text).map_err(|error| PluginError::Metadata {
            path: path.clone(),
            reason: format!("its metadata cannot be read: {error}"),
        })?;
        check_metadata(&path, &metadata)?;
        install_hook();
        Ok(Self::new(path, metadata, root))
    }
}
