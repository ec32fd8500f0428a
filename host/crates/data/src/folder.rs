//! Folders of pictures.

use super::DataError;
use super::config::ImageConfig;
use super::dataset::Dataset;
use super::defaults::InputDefaults;
use super::error::first_names;
use super::image::has_picture_extension;
use super::pictures::{PictureDataset, PictureFiles};
use super::targets::Targets;
use rayon::prelude::*;
use std::path::Path;
use std::sync::Arc;

mod walk;

use walk::Found;
pub(super) use walk::{entries, find_pictures};

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
    // Some at a time: what was found of them is in memory twice while it is put together.
    for names in names.chunks(CLASSES_AT_ONCE) {
        let look = |name: &String| find_pictures(&root.join(name), root, Some(images.on_error));
        let found: Vec<Result<Found, DataError>> = names.par_iter().map(look).collect();
        for (name, found) in names.iter().zip(found) {
            let found = found?;
            found.tell_left_out();
            if found.pictures.is_empty() {
                return Err(without_pictures(&root.join(name), found.others));
            }
            let class = known.iter().position(|k| k == name).unwrap_or_default();
            indices.resize(indices.len() + found.pictures.len(), class);
            found.files.into_iter().for_each(|file| files.stamp(file));
            found.pictures.into_iter().for_each(|picture| files.push(picture));
        }
    }
    let targets = Targets::Classes(indices, known.to_vec());
    Ok(Arc::new(PictureDataset::new(Box::new(files), targets, images, defaults)))
}

/// So many class folders are looked through before what was found is put together.
const CLASSES_AT_ONCE: usize = 64;

fn without_pictures(folder: &Path, others: usize) -> DataError {
    let others = match others {
        0 => "nothing".to_string(),
        n => format!("{n} files that are no pictures"),
    };
    DataError::layout(
        folder,
        format!("the class folder has no pictures (found: {others})"),
        "add pictures or remove the folder",
    )
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
