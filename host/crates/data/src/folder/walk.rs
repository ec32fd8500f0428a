//! What is in folders of pictures.

use crate::DataError;
use crate::config::OnError;
use crate::image::has_picture_extension;
use crate::stamps::FileStamp;
use rayon::prelude::*;
use std::fs::FileType;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a walk through a folder found.
#[derive(Default)]
pub(crate) struct Found {
    /// In sorted order, relative to the base.
    pub(crate) pictures: Vec<PathBuf>,
    /// Size and time of each of them; nothing without `on_error`.
    pub(crate) files: Vec<FileStamp>,
    /// Number of other files.
    pub(crate) others: usize,
    /// Those that are left out, and why.
    left_out: Vec<(PathBuf, &'static str)>,
}

impl Found {
    /// Says which are left out.
    pub(super) fn tell_left_out(&self) {
        for (path, problem) in &self.left_out {
            tracing::warn!("left out: {}: {problem}", thaw_terminal::escape::path(path));
        }
    }
}

/// Pictures in a folder and below, by their paths relative to `base`, which lies around it. Hidden files and
/// those that systems leave behind are passed over. With `on_error`, other files and empty pictures are
/// errors, or left out. Files are looked at by several threads: on a disk far away each look takes its time.
pub(crate) fn find_pictures(
    folder: &Path,
    base: &Path,
    on_error: Option<OnError>,
) -> Result<Found, DataError> {
    let mut found = Found::default();
    Walk { base, on_error, found: &mut found }.enter(folder, 0)?;
    Ok(found)
}

/// Deeper folders are a link that leads back.
const MAX_DEPTH: usize = 32;

struct Walk<'w> {
    base: &'w Path,
    on_error: Option<OnError>,
    found: &'w mut Found,
}

/// What an entry of a folder is.
enum Seen {
    Folder,
    Picture(Option<FileStamp>),
    NoPicture,
}

impl Walk<'_> {
    fn enter(&mut self, folder: &Path, depth: usize) -> Result<(), DataError> {
        if depth > MAX_DEPTH {
            let text = format!("folders lie more than {MAX_DEPTH} deep");
            return Err(DataError::layout(folder, text, "look for a link that leads back"));
        }
        let entries = listed(folder)?;
        let stamps = self.on_error.is_some();
        let seen: Vec<Seen> = entries.par_iter().map(|entry| entry.look(stamps)).collect();
        for (entry, seen) in entries.into_iter().zip(seen) {
            let path = folder.join(&entry.name);
            match seen {
                Seen::Folder => self.enter(&path, depth + 1)?,
                Seen::Picture(Some(FileStamp { bytes: 0, .. })) => {
                    self.leave_out(path, "the file is empty (0 bytes)")?;
                }
                Seen::Picture(file) => {
                    let relative = path.strip_prefix(self.base).map(Path::to_path_buf);
                    self.found.pictures.push(relative.unwrap_or(path));
                    self.found.files.extend(file);
                }
                Seen::NoPicture => {
                    self.found.others += 1;
                    self.leave_out(
                        path,
                        "it is not named like a picture (.png, .jpg, .gif, .bmp, .webp, .tif, .ppm, .pgm, \
                         .pbm)",
                    )?;
                }
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, path: PathBuf, problem: &'static str) -> Result<(), DataError> {
        match self.on_error {
            None => {}
            Some(OnError::Skip) => self.found.left_out.push((path, problem)),
            Some(OnError::Fail) => return Err(DataError::Picture { path, found: problem.to_string() }),
        }
        Ok(())
    }
}

/// A name in a folder, and what the folder says that it is of.
struct Listed {
    name: String,
    kind: Option<FileType>,
    folder: Arc<Path>,
}

impl Listed {
    fn look(&self, stamps: bool) -> Seen {
        let path = || self.folder.join(&self.name);
        let is_folder = match self.kind {
            Some(kind) if !kind.is_symlink() => kind.is_dir(),
            _ => path().is_dir(),
        };
        match is_folder {
            true => Seen::Folder,
            false if !has_picture_extension(Path::new(&self.name)) => Seen::NoPicture,
            false if !stamps => Seen::Picture(None),
            false => Seen::Picture(std::fs::metadata(path()).ok().map(|file| FileStamp::from(&file))),
        }
    }
}

/// What is in a folder, sorted by name, without hidden files and those that systems leave behind.
fn listed(folder: &Path) -> Result<Vec<Listed>, DataError> {
    let shared: Arc<Path> = folder.into();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let entry = entry.map_err(DataError::io(folder))?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|_| DataError::layout(&entry.path(), "its name is not Unicode", "rename it"))?;
        if !name.starts_with('.') && !["Thumbs.db", "desktop.ini", "__MACOSX"].contains(&name.as_str()) {
            found.push(Listed { name, kind: entry.file_type().ok(), folder: Arc::clone(&shared) });
        }
    }
    found.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}

/// Names and paths in a folder, sorted, without hidden files and those that systems leave behind.
pub(crate) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let listed = listed(folder)?.into_iter();
    Ok(listed.map(|entry| (entry.name.clone(), folder.join(entry.name))).collect())
}
