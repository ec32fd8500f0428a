//! What checkpoints keep of the files that the run config names.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::checkpoint::KeptFile;
use crate::config::RunConfig;
use crate::error::Error;
use crate::run_dir::RunDir;

/// Files and folders of the run config by their keys, as later commands find them.
#[derive(Debug, Default)]
pub struct KeptPaths {
    paths: BTreeMap<String, PathBuf>,
    files: Vec<KeptFile>,
}

impl KeptPaths {
    /// Copies the files that the trained model needs into the run directory; of the other paths, says where they are.
    ///
    /// # Errors
    /// A file that cannot be read, or a full disk.
    pub fn keep(config: &RunConfig, model_schema: &serde_json::Value, run_dir: &RunDir) -> Result<Self, Error> {
        let mut kept = Self::default();
        for named in config.paths(model_schema) {
            if named.is_needed && named.path.is_file() {
                let copy = run_dir.keep(&named.path)?;
                kept.paths.insert(named.key, copy.path.file_name().unwrap_or_default().into());
                kept.files.push(KeptFile { path: copy.path, sha256: copy.sha256 });
            } else {
                kept.paths.insert(named.key, std::path::absolute(&named.path).unwrap_or(named.path));
            }
        }
        Ok(kept)
    }

    /// By key: a file of the checkpoint by its name, anything else by its absolute path.
    pub fn paths(&self) -> &BTreeMap<String, PathBuf> {
        &self.paths
    }

    /// The files that belong into each checkpoint.
    pub fn files(&self) -> &[KeptFile] {
        &self.files
    }
}
