//! Folders of pictures.

use super::DataError;
use super::config::{ImageConfig, OnError};
use super::dataset::Dataset;
use super::defaults::InputDefaults;
use super::error::first_names;
use super::image::has_picture_extension;
use super::pictures::{PictureDataset, PictureFiles};
use super::targets::Targets;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Opens one folder of class folders. `classes` are the training split's, for validation.
pub(crate) fn open_folder(
    root: &Path,
    classes: Option<&[String]>,
    images: &ImageConfig,
    defaults: &InputDefaults,
) -> Result<Arc<dyn Dataset>, DataError> {
    let (mut names, mut loose) = (Vec::new(), 0);
    for (name, path) in entries(root)? {
        if path.is_dir() {
            names.push(name);
        } else if has_picture_extension(&path) {
            loose += 1;
        }
    }
    if names.is_empty() {
        let found = match loose {
            0 => "it has no class folders".to_string(),
            n => format!("it has no class folders but {n} pictures of its own"),
        };
        let remedy = "put the pictures of each class into a folder of its own, named after the class \
                      (or name pictures and labels in a file and use kind = \"list\")";
        return Err(DataError::layout(root, found, remedy));
    }
    if loose > 0 {
        tracing::warn!(
            "{}: {loose} pictures beside the class folders belong to no class and are not used",
            thaw_terminal::escape::path(root)
        );
    }
    let known = classes.unwrap_or(&names);
    if let Some(name) = names.iter().find(|name| !known.contains(name)) {
        let found = format!("class `{name}` is not among the training classes ({})", first_names(known, 12));
        let remedy = "rename or remove the folder";
        return Err(DataError::layout(&root.join(name), found, remedy));
    }
    let (mut files, mut indices) = (PictureFiles::below(root), Vec::new());
    for name in &names {
        let folder = root.join(name);
        let found = find_pictures(&folder, Some(images.on_error))?;
        if found.pictures.is_empty() {
            let others = match found.others {
                0 => "nothing".to_string(),
                n => format!("{n} files that are no pictures"),
            };
            return Err(DataError::layout(
                &folder,
                format!("the class folder has no pictures (found: {others})"),
                "add pictures or remove the folder",
            ));
        }
        let class = known.iter().position(|k| k == name).unwrap_or_default();
        indices.resize(indices.len() + found.pictures.len(), class);
        for (picture, file) in found.pictures.into_iter().zip(found.files) {
            let relative = picture.strip_prefix(root).map(Path::to_path_buf);
            file.iter().for_each(|file| files.stamp(file));
            files.push(relative.unwrap_or(picture));
        }
    }
    let targets = Targets::Classes(indices, known.to_vec());
    Ok(Arc::new(PictureDataset::new(Box::new(files), targets, images, defaults)))
}

/// What a walk through a folder found.
pub(crate) struct Found {
    /// In sorted order.
    pub(crate) pictures: Vec<PathBuf>,
    /// What the system says of each of them; nothing without `on_error`.
    pub(crate) files: Vec<Option<Metadata>>,
    /// Number of other files.
    pub(crate) others: usize,
}

/// Pictures in a folder and below. Hidden files and those that systems leave behind are passed over. With
/// `on_error`, other files and empty pictures are errors, or left out with a warning.
pub(crate) fn find_pictures(folder: &Path, on_error: Option<OnError>) -> Result<Found, DataError> {
    let mut found = Found { pictures: Vec::new(), files: Vec::new(), others: 0 };
    walk(folder, on_error, &mut found, 0)?;
    Ok(found)
}

/// Deeper folders are a link that leads back.
const MAX_DEPTH: usize = 32;

fn walk(folder: &Path, on_error: Option<OnError>, found: &mut Found, depth: usize) -> Result<(), DataError> {
    if depth > MAX_DEPTH {
        let text = format!("folders lie more than {MAX_DEPTH} deep");
        return Err(DataError::layout(folder, text, "look for a link that leads back"));
    }
    for (_, path) in entries(folder)? {
        if path.is_dir() {
            walk(&path, on_error, found, depth + 1)?;
            continue;
        }
        let file = on_error.and_then(|_| std::fs::metadata(&path).ok());
        let problem = if !has_picture_extension(&path) {
            found.others += 1;
            Some("it is not named like a picture (.png, .jpg, .gif, .bmp, .webp, .tif, .ppm, .pgm, .pbm)")
        } else if file.as_ref().is_some_and(|file| file.len() == 0) {
            Some("the file is empty (0 bytes)")
        } else {
            None
        };
        match (problem, on_error) {
            (None, _) => {
                found.pictures.push(path);
                found.files.push(file);
            }
            (Some(_), None) => {}
            (Some(problem), Some(OnError::Skip)) => {
                tracing::warn!("left out: {}: {problem}", thaw_terminal::escape::path(&path));
            }
            (Some(problem), Some(OnError::Fail)) => {
                let found = problem.to_string();
                return Err(DataError::Picture { path, found });
            }
        }
    }
    Ok(())
}

/// Names and paths in a folder, sorted, without hidden files and those that systems leave behind.
pub(super) fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(DataError::io(folder))? {
        let path = entry.map_err(DataError::io(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            return Err(DataError::layout(&path, "its name is not Unicode", "rename it"));
        };
        if !name.starts_with('.') && !["Thumbs.db", "desktop.ini", "__MACOSX"].contains(&name) {
            entries.push((name.to_string(), path));
        }
    }
    entries.sort();
    Ok(entries)
}

/// Refuses a missing folder, and a file in its place.
pub(crate) fn require_folder(path: &Path, key: &str) -> Result<(), DataError> {
    if path.is_dir() {
        Ok(())
    } else if path.exists() {
        Err(DataError::layout(path, "it is a file", format!("set `{key}` in [data] to a folder")))
    } else {
        Err(DataError::NotFound {
            path: path.to_path_buf(),
            remedy: format!("set `{key}` in [data] to an existing folder"),
        })
    }
}

/// Refuses a missing file, and a folder in its place.
pub(crate) fn require_file(path: &Path, key: &str) -> Result<(), DataError> {
    if path.is_file() {
        Ok(())
    } else if path.exists() {
        Err(DataError::layout(path, "it is a folder", format!("set `{key}` in [data] to a file")))
    } else {
        Err(DataError::NotFound {
            path: path.to_path_buf(),
            remedy: format!("set `{key}` in [data] to an existing file"),
        })
    }
}

#[cfg(test)]
mod tests;
