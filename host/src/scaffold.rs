//! New plugin crates: a template with the author's name in it.
//!
//! The templates are crates named `my-plugin`, one for each kind; they build, test and run as they are.

mod api;
mod error;
mod name;
mod rings;
mod template;

use std::fs;
use std::path::{Path, PathBuf};

pub use api::PluginApi;
pub use error::ScaffoldError;
pub use name::CrateName;
use thaw_plugin_api::abi::Kind;

use thaw_files::durable;

/// A plugin crate to be written.
pub struct Scaffold {
    /// Name of the crate and, with `-` for `_`, of its strategy, callback, model or data set.
    pub name: CrateName,
    /// What it exports.
    pub kind: Kind,
    /// Where it finds `thaw-plugin-api`.
    pub api: PluginApi,
}

impl Scaffold {
    /// Writes the crate into a new folder of its name, whole or not at all; gives the folder.
    ///
    /// # Errors
    /// There is something of this name already, or the folder cannot be written.
    pub fn write(&self, into: &Path) -> Result<PathBuf, ScaffoldError> {
        let target = into.join(self.name.as_str());
        if target.symlink_metadata().is_ok() {
            return Err(ScaffoldError::Exists { path: target });
        }
        let written = |source| ScaffoldError::Write { path: target.clone(), source };
        let folder = durable::temporary(0o777)
            .prefix(".new-plugin-")
            .tempdir_in(durable::folder_of(&target))
            .map_err(written)?;
        for (file, bytes) in template::files(self).map_err(written)? {
            let path = folder.path().join(file);
            let parent = path.parent().unwrap_or(folder.path());
            fs::create_dir_all(parent).and_then(|()| fs::write(&path, bytes)).map_err(written)?;
        }
        fs::rename(folder.path(), &target).map_err(written)?;
        // It is no temporary folder any more.
        let _ = folder.keep();
        Ok(target)
    }
}

#[cfg(test)]
mod tests;
