//! From a config to its splits, kind by kind.

use super::Splits;
use crate::cifar10::{files_folder, open_cifar10, training_files};
use crate::config::{DataConfig, Source};
use crate::dataset::Dataset;
use crate::defaults::InputDefaults;
use crate::error::DataError;
use crate::folder::{open_folder, require_file, require_folder};
use crate::layout::split_folders;
use crate::list::open_list;
use crate::tensor_file::TensorFile;
use crate::tensors::{Keys, open_tensors};
use crate::text::{TextEncoder, open_texts};
use std::sync::Arc;

/// Training and validation samples of a config; without the latter where they come from a `val_split`, or
/// from nowhere.
///
/// # Errors
/// They cannot be read, or are not what the config says.
pub(super) fn open_splits(config: &DataConfig, defaults: &InputDefaults) -> Result<Splits, DataError> {
    let images = &config.images;
    let val_split = config.loading.val_split.is_some();
    let pictures = (images, defaults);
    match &config.source {
        Source::ImageFolder(source) => {
            let (train, val) = split_folders(source, val_split)?;
            let train = open_folder(&train, None, images, defaults)?;
            let classes = Some(train.class_names());
            let val = val.map(|v| open_folder(&v, classes, images, defaults)).transpose()?;
            Ok((train, val))
        }
        Source::List(source) => {
            let train = open_list(&source.path, source, None, true, pictures)?;
            let classes = known(&train);
            let open = |v| open_list(v, source, classes, true, pictures);
            let val = source.val_path.as_deref().map(open).transpose()?;
            Ok((train, val))
        }
        Source::Cifar10(source) => {
            require_folder(&source.path, "path")?;
            let folder = files_folder(&source.path);
            let train = open_cifar10(&training_files(&folder)?, true, images, defaults)?;
            let test = folder.join("test_batch.bin");
            let val = if !val_split && test.is_file() {
                Some(open_cifar10(&[test], true, images, defaults)?)
            } else {
                None
            };
            Ok((train, val))
        }
        Source::Tensors(source) => {
            require_file(&source.path, "path")?;
            let file = TensorFile::open(&source.path, source.max_mib)?;
            let keys =
                |prefix| Keys { config: source, prefix, target: true, pictures: defaults.are_of_pictures() };
            let train = open_tensors(&file, keys(""), None)?;
            let classes = known(&train);
            let first = format!("{}{}", source.val_prefix, source.inputs[0]);
            let val = if let Some(path) = &source.val_path {
                require_file(path, "val_path")?;
                Some(open_tensors(&TensorFile::open(path, source.max_mib)?, keys(""), classes)?)
            } else if !val_split && !source.val_prefix.is_empty() && file.has(&first) {
                Some(open_tensors(&file, keys(&source.val_prefix), classes)?)
            } else {
                None
            };
            Ok((train, val))
        }
        Source::Plugin(source) => Err(source.without_plugin()),
        Source::Text(source) => {
            let encoder = Arc::new(TextEncoder::open(source, defaults.max_length)?);
            let train = open_texts(&source.path, Arc::clone(&encoder), None, true)?;
            let classes = known(&train);
            let open = |v| open_texts(v, encoder, classes, true);
            let val = source.val_path.as_deref().map(open).transpose()?;
            Ok((train, val))
        }
    }
}

/// The training classes, if there are any.
fn known(train: &Arc<dyn Dataset>) -> Option<&[String]> {
    Some(train.class_names()).filter(|names| !names.is_empty())
}
