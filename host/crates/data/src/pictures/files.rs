//! Pictures in files of their own.

use super::PictureStore;
use crate::image::{Picture, Reduction, decode_reduced};
use crate::split::{identity_of, relative_to};
use crate::stamps::FileStamp;
use crate::{DataError, FileStamps};
use std::path::{Path, PathBuf};

/// Picture files, decoded when they are needed.
pub(crate) struct PictureFiles {
    /// Where relative paths start, as it was given.
    root: PathBuf,
    /// The same, absolute: pictures are read for as long as a run lasts, and a plugin may change the working
    /// directory meanwhile.
    folder: PathBuf,
    /// Each picture's path, as written.
    written: Vec<PathBuf>,
    stamps: FileStamps,
}

impl PictureFiles {
    /// No pictures yet; the paths to come start at `root`.
    pub(crate) fn below(root: &Path) -> PictureFiles {
        let here = if root.as_os_str().is_empty() { Path::new(".") } else { root };
        let folder = std::path::absolute(here).unwrap_or_else(|_| root.to_path_buf());
        PictureFiles { root: root.to_path_buf(), folder, written: Vec::new(), stamps: FileStamps::default() }
    }

    /// The file of the picture that comes next, where somebody has looked at it.
    pub(crate) fn stamp(&mut self, file: FileStamp) {
        self.stamps.add(file);
    }

    /// Adds a picture by its path, relative to the root or absolute.
    pub(crate) fn push(&mut self, written: PathBuf) {
        self.written.push(written);
    }

    /// The name of a picture whose path does not start below the root: it may lead there all the same.
    fn name_from_outside(&self, written: &Path) -> String {
        if let Ok(below) = written.strip_prefix(&self.folder) {
            return identity_of(below);
        }
        // Both sides without links, so that it does not matter by which way either was reached.
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let root = canonical(&self.folder);
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

    /// The path for people.
    fn shown(&self, index: usize) -> PathBuf {
        self.root.join(&self.written[index])
    }
}

impl PictureStore for PictureFiles {
    fn len(&self) -> usize {
        self.written.len()
    }
    fn picture(&self, index: usize, max_pixels: u64) -> Result<Picture, DataError> {
        self.reduced(index, max_pixels, &mut |_, _| 1)
    }
    fn reduced(&self, index: usize, max_pixels: u64, by: &mut Reduction<'_>) -> Result<Picture, DataError> {
        let found = match std::fs::read(self.folder.join(&self.written[index])) {
            Ok(bytes) => match decode_reduced(&bytes, max_pixels, by) {
                Ok(picture) => return Ok(picture),
                Err(found) => found,
            },
            Err(error) => error.to_string(),
        };
        Err(DataError::Picture { path: self.shown(index), found })
    }
    fn id(&self, index: usize) -> String {
        self.shown(index).display().to_string()
    }
    fn identity(&self, index: usize) -> String {
        let written = &self.written[index];
        let name = identity_of(written);
        if written.is_absolute() || name.starts_with("..") { self.name_from_outside(written) } else { name }
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        root.join(&self.written[index]).display().to_string()
    }
    fn stamps(&self) -> FileStamps {
        self.stamps
    }
    fn files(&self) -> Vec<PathBuf> {
        self.written.iter().map(|written| self.folder.join(written)).collect()
    }
    fn is_decoded(&self) -> bool {
        false
    }
}
