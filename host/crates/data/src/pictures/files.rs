//! Pictures in files of their own.

use super::PictureStore;
use crate::DataError;
use crate::image::{Picture, decode};
use crate::split::{identity_of, relative_to};
use std::path::{Path, PathBuf};

/// Picture files, decoded when they are needed.
#[derive(Default)]
pub(crate) struct PictureFiles {
    /// Where relative paths start.
    root: PathBuf,
    /// Each picture's path, as written.
    written: Vec<PathBuf>,
}

impl PictureFiles {
    /// No pictures yet; the paths to come start at `root`.
    pub(crate) fn below(root: &Path) -> PictureFiles {
        PictureFiles { root: root.to_path_buf(), ..PictureFiles::default() }
    }

    /// Adds a picture by its path, relative to the root or absolute.
    pub(crate) fn push(&mut self, written: PathBuf) {
        self.written.push(written);
    }

    /// The name of a picture whose path does not start below the root: it may lead there all the same.
    fn name_from_outside(&self, written: &Path) -> String {
        let here = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        let absolute = std::path::absolute(here).ok();
        let below = absolute.and_then(|root| written.strip_prefix(root).ok().map(identity_of));
        if let Some(name) = below {
            return name;
        }
        // Both sides without links, so that it does not matter by which way either was reached.
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let root = canonical(here);
        let file = if written.is_absolute() {
            canonical(written.parent().unwrap_or(written)).join(written.file_name().unwrap_or_default())
        } else {
            Path::new("/").join(identity_of(&root.join(written)))
        };
        identity_of(&relative_to(&root, &file))
    }

    /// Number of pictures.
    pub(crate) fn count(&self) -> usize {
        self.written.len()
    }

    fn path(&self, index: usize) -> PathBuf {
        self.root.join(&self.written[index])
    }
}

impl PictureStore for PictureFiles {
    fn len(&self) -> usize {
        self.written.len()
    }
    fn picture(&self, index: usize, max_pixels: u64) -> Result<Picture, DataError> {
        let path = self.path(index);
        let found = match std::fs::read(&path) {
            Ok(bytes) => match decode(&bytes, max_pixels) {
                Ok(picture) => return Ok(picture),
                Err(found) => found,
            },
            Err(error) => error.to_string(),
        };
        Err(DataError::Picture { path, found })
    }
    fn id(&self, index: usize) -> String {
        self.path(index).display().to_string()
    }
    fn identity(&self, index: usize) -> String {
        let written = &self.written[index];
        let name = identity_of(written);
        if written.is_absolute() || name.starts_with("..") { self.name_from_outside(written) } else { name }
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        root.join(&self.written[index]).display().to_string()
    }
    fn is_decoded(&self) -> bool {
        false
    }
}
