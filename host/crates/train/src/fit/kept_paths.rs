//! What checkpoints keep of the files that the run config names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::checkpoint::KeptFile;
use crate::config::RunConfig;
use crate::run_dir::{RunDir, RunDirError};
use thaw_plugins::PluginSet;

/// Files and folders of the run config by their keys, as later commands find them.
#[derive(Debug, Default)]
pub struct KeptPaths {
    paths: BTreeMap<String, String>,
    files: Vec<KeptFile>,
}

impl KeptPaths {
    /// Copies the files that the trained model needs into the run directory; of the other paths, says where
    /// they are.
    ///
    /// # Errors
    /// A file that cannot be read, or a full disk.
    pub fn keep(config: &RunConfig, plugins: &PluginSet, run_dir: &RunDir) -> Result<Self, RunDirError> {
        let mut kept = Self::default();
        for named in config.paths(|kinds, id| plugins.schema(kinds, id)) {
            let path = if named.is_needed && named.path.is_file() {
                let copy = run_dir.keep(&named.path)?;
                let name = copy.path.file_name().map(PathBuf::from);
                kept.files.push(KeptFile { path: copy.path, sha256: copy.sha256 });
                name
            } else {
                std::path::absolute(&named.path).ok()
            };
            // JSON has no other texts than Unicode; a path that is none is looked for as it was given.
            if let Some(path) = path.as_deref().and_then(Path::to_str) {
                kept.paths.insert(named.key, path.to_owned());
            }
        }
        Ok(kept)
    }

    /// By key: a file of the checkpoint by its name, anything else by its absolute path.
    pub fn paths(&self) -> &BTreeMap<String, String> {
        &self.paths
    }

    /// The files that belong into each checkpoint.
    pub fn files(&self) -> &[KeptFile] {
        &self.files
    }
}
