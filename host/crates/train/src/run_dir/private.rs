//! A run's own copies of files that others may change.
//!
//! A plugin that comes into a live run may be built anew under the same path at any time: the system's loader
//! knows libraries by their path and would give the old one, and a resumed run could not find what ran. A
//! tokenizer or a model's own file may be gone when a checkpoint is used. So what is needed later is copied
//! and named after its content.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use super::RunDirError;
use super::error::at;
use thaw_files::durable;
use thaw_files::sha256::sha256_file;

/// A copy of a file.
pub struct PrivateCopy {
    /// Where it lies.
    pub path: PathBuf,
    /// SHA-256 of its content.
    pub sha256: String,
    /// Whether it was made just now.
    pub is_new: bool,
}

impl PrivateCopy {
    /// Copies a file into `folder`, as `<name>-<SHA-256>.<ending>`. A copy of a copy has the same name.
    ///
    /// # Errors
    /// The file cannot be read, or the folder not written.
    pub fn make(from: &Path, folder: &Path) -> Result<Self, RunDirError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let mut beside = durable::temporary(0o666).tempfile_in(folder).map_err(at(folder))?;
        let mut file = File::open(from).map_err(at(from))?;
        std::io::copy(&mut file, &mut beside).map_err(at(folder))?;
        // Of the copy: the file may be written to while it is read.
        let sha256 = sha256_file(beside.path()).map_err(at(folder))?;
        let path = folder.join(name_of(from, &sha256));
        let is_new = !path.exists();
        if is_new {
            durable::persist(beside, &path).map_err(at(&path))?;
        }
        Ok(Self { path, sha256, is_new })
    }

    /// The copy that another process of the run makes.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn of_another(from: &Path, folder: &Path) -> Result<Self, RunDirError> {
        let sha256 = sha256_file(from).map_err(at(from))?;
        Ok(Self { path: folder.join(name_of(from, &sha256)), sha256, is_new: false })
    }

    /// Removes a copy that nobody needs.
    pub fn discard(self) {
        if self.is_new
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!("{}: {error}", self.path.display());
        }
    }
}

/// What a copy is called.
fn name_of(from: &Path, sha256: &str) -> String {
    let text = |part: Option<&OsStr>| part.map(|part| part.to_string_lossy().into_owned());
    let (stem, mark) = (text(from.file_stem()).unwrap_or_default(), format!("-{}", &sha256[..16]));
    let ending = text(from.extension()).map(|ending| format!(".{ending}")).unwrap_or_default();
    format!("{}{mark}{ending}", stem.strip_suffix(&mark).unwrap_or(&stem))
}
