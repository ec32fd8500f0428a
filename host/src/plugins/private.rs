//! A run's own copies of plugins.
//!
//! A file that is loaded may be built anew under the same path at any time. The system's loader knows libraries by their
//! path and would give the old one; and a resumed run could not find what ran. So a plugin that comes into a live run
//! is loaded from a copy that is named after its content.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::PluginError;
use crate::weights::sha256_file;

/// A copy of a plugin's file.
pub struct PrivateCopy {
    /// Where it lies.
    pub path: PathBuf,
    /// Whether it was made just now.
    pub is_new: bool,
}

impl PrivateCopy {
    /// Copies a plugin into `folder`, as `<name>-<SHA-256>.<ending>`.
    ///
    /// # Errors
    /// The file cannot be read, or the folder not written.
    pub fn make(plugin: &Path, folder: &Path) -> Result<Self, PluginError> {
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| PluginError::Io { path, source }
        };
        std::fs::create_dir_all(folder).map_err(failed(folder))?;
        let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(failed(folder))?;
        let mut file = File::open(plugin).map_err(failed(plugin))?;
        std::io::copy(&mut file, &mut beside).and_then(|_| beside.as_file().sync_all()).map_err(failed(folder))?;
        // Of the copy: the file may be written to while it is read.
        let sha256 = sha256_file(beside.path()).map_err(failed(folder))?;
        let text = |part: Option<&OsStr>| part.unwrap_or_default().to_string_lossy().into_owned();
        let path = folder.join(format!("{}-{}.{}", text(plugin.file_stem()), &sha256[..16], text(plugin.extension())));
        let is_new = !path.exists();
        if is_new {
            beside.persist(&path).map_err(|error| failed(&path)(error.error))?;
        }
        Ok(Self { path, is_new })
    }

    /// Removes a copy that nobody needs.
    pub fn discard(self) {
        if self.is_new
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }
}
