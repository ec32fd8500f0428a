//! Samples to predict on, whose labels nobody needs to know.

use super::DataError;
use super::batch::Batch;
use super::cifar10::{files_folder, open_cifar10, training_files};
use super::config::{DataConfig, ListConfig, LoadingConfig, SamplesConfig, Source};
use super::dataset::{Dataset, Delivery, Pass};
use super::defaults::InputDefaults;
use super::folder::find_pictures;
use super::image::has_picture_extension;
use super::layout::tell_all_splits;
use super::list::open_list;
use super::loader::{Loader, Walk, workers};
use super::pictures::{PictureDataset, PictureFiles};
use super::samples::{self, Samples};
use super::targets::Targets;
use super::tensor_file::TensorFile;
use super::tensors::{Keys, open_tensors};
use super::text::{TextEncoder, open_texts};
use std::path::Path;
use std::sync::Arc;
use thaw_plugin_api::dataset::Split;

/// Samples in their own order, prepared as in validation, without targets.
pub struct PredictData {
    dataset: Arc<dyn Dataset>,
    batch_size: usize,
    workers: Option<usize>,
    prefetch_mib: usize,
}

impl PredictData {
    /// Opens an input of the kind that the config trains on; of the config's own paths only the tokenizer is
    /// read.
    ///
    /// Pictures: a picture, a folder (with all below it), a `.csv` or `.tsv` list with the config's columns
    /// (or `path`), or CIFAR-10's files. Texts: a table with the config's columns, or a `.txt` file of one
    /// text per line. Tensors: a file with the config's inputs.
    pub fn open(
        config: &DataConfig,
        input: &Path,
        defaults: &InputDefaults,
    ) -> Result<PredictData, DataError> {
        if !input.exists() {
            return Err(DataError::NotFound {
                path: input.to_path_buf(),
                remedy: "name an existing file or folder with --input".to_string(),
            });
        }
        let dataset = match &config.source {
            Source::Tensors(source) => {
                let keys =
                    Keys { config: source, prefix: "", target: false, pictures: defaults.are_of_pictures() };
                open_tensors(&TensorFile::open(input, source.max_mib)?, keys, None)?
            }
            Source::Text(source) => {
                open_texts(input, Arc::new(TextEncoder::open(source, defaults.max_length)?), None, false)?
            }
            Source::Plugin(source) => return Err(source.without_plugin()),
            Source::ImageFolder(_) | Source::List(_) | Source::Cifar10(_) => {
                open_pictures(config, input, defaults)?
            }
        };
        Ok(PredictData::of(dataset, &config.loading))
    }

    /// Opens one split of data from elsewhere.
    ///
    /// # Errors
    /// There is no such split, or samples are not what they were declared to be.
    pub fn of_samples(
        samples: &Arc<dyn Samples>,
        split: Split,
        config: &SamplesConfig,
        defaults: &InputDefaults,
    ) -> Result<PredictData, DataError> {
        let dataset = samples::open_split(samples, split, false, config, defaults)?;
        Ok(PredictData::of(dataset, &config.loading))
    }

    fn of(dataset: Arc<dyn Dataset>, loading: &LoadingConfig) -> PredictData {
        let batch_size = loading.val_batch_size.unwrap_or(loading.batch_size);
        PredictData {
            dataset: Arc::new(Windows { dataset, samples: batch_size.saturating_mul(WINDOW_BATCHES) }),
            batch_size,
            workers: loading.workers,
            prefetch_mib: loading.prefetch_mib,
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.dataset.len()
    }

    /// True without samples; an input that opened has some.
    pub fn is_empty(&self) -> bool {
        self.dataset.is_empty()
    }

    /// The picture's path, or the number of the row from 0. The index is that in
    /// [`Batch::indices`](super::Batch::indices).
    pub fn id(&self, index: usize) -> String {
        self.dataset.id(index)
    }

    /// Pictures that could not be read so far, by id (`on_error = "skip"`).
    pub fn skipped(&self) -> Vec<String> {
        self.dataset.skipped()
    }

    /// Whether batches come in the order of the input. Texts do not, unless `bucket = false`.
    pub fn is_sequential(&self) -> bool {
        self.dataset.is_empty() || self.dataset.length_of(0).is_none()
    }

    /// All batches. Texts come sorted by length unless `bucket = false`, so many batches at a time that their
    /// predictions can be held back; `indices` tells which rows they are.
    pub fn loader(&self) -> Result<Loader, DataError> {
        let walk = Walk {
            pass: Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu },
            batch_size: self.batch_size,
            shuffle: false,
            by_length: true,
            drop_last: false,
            workers: workers(self.workers, self.dataset.as_ref(), Delivery::Cpu),
            prefetch_mib: self.prefetch_mib,
            start_batch: 0,
            limit: None,
        };
        Loader::new(Arc::clone(&self.dataset), walk)
    }
}

/// Batches within which samples may change places: predictions of no more than these are held in memory.
const WINDOW_BATCHES: usize = 64;

/// A dataset whose samples are sorted by length within windows of some samples alone.
struct Windows {
    dataset: Arc<dyn Dataset>,
    samples: usize,
}

impl Dataset for Windows {
    fn len(&self) -> usize {
        self.dataset.len()
    }
    fn class_names(&self) -> &[String] {
        self.dataset.class_names()
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        self.dataset.class_of(index)
    }
    fn id(&self, index: usize) -> String {
        self.dataset.id(index)
    }
    fn identity(&self, index: usize) -> String {
        self.dataset.identity(index)
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        self.dataset.spelled(index, root)
    }
    fn input_shape(&self) -> String {
        self.dataset.input_shape()
    }
    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError> {
        self.dataset.batch(indices, pass)
    }
    fn length_of(&self, index: usize) -> Option<usize> {
        // Longer than any text is one of a later window.
        const LONGEST: usize = u32::MAX as usize;
        let length = self.dataset.length_of(index)?.min(LONGEST);
        Some((index / self.samples.max(1)).saturating_mul(LONGEST + 1).saturating_add(length))
    }
    fn fixed_inputs(&self, pass: &Pass) -> bool {
        self.dataset.fixed_inputs(pass)
    }
    fn in_memory(&self) -> bool {
        self.dataset.in_memory()
    }
    fn skipped(&self) -> Vec<String> {
        self.dataset.skipped()
    }
}

fn open_pictures(
    config: &DataConfig,
    input: &Path,
    defaults: &InputDefaults,
) -> Result<Arc<dyn Dataset>, DataError> {
    let own_size;
    let mut images = &config.images;
    let cifar10 = matches!(config.source, Source::Cifar10(_));
    if cifar10 {
        // Pictures to predict on get the size that the model was trained with.
        own_size = super::cifar10::own_size(images, defaults);
        images = &own_size;
    }
    let extension = input.extension().and_then(|e| e.to_str()).unwrap_or("");
    if input.is_file() && ["csv", "tsv"].contains(&extension) {
        let list = match &config.source {
            Source::List(list) => list.clone(),
            _ => ListConfig::default(),
        };
        return open_list(input, &list, None, false, (images, defaults));
    }
    if cifar10 {
        if input.is_file() && extension == "bin" {
            return open_cifar10(&[input.to_path_buf()], false, images, defaults);
        }
        let folder = files_folder(input);
        let test = folder.join("test_batch.bin");
        if test.is_file() {
            return open_cifar10(&[test], false, images, defaults);
        }
        if let Ok(files) = training_files(&folder) {
            return open_cifar10(&files, false, images, defaults);
        }
    }
    let files = if input.is_dir() {
        let found = find_pictures(input, Path::new(""), None)?;
        tell_all_splits(input);
        if found.pictures.is_empty() {
            let others = format!("no pictures (found: {} other files)", found.others);
            return Err(DataError::layout(input, others, "name a folder with pictures"));
        }
        found.pictures
    } else if has_picture_extension(input) {
        vec![input.to_path_buf()]
    } else {
        return Err(DataError::layout(
            input,
            "it is not named like a picture or a list of pictures",
            "name a picture, a folder of pictures, or a .csv or .tsv list",
        ));
    };
    let mut store = PictureFiles::below(Path::new(""));
    files.into_iter().for_each(|file| store.push(file));
    Ok(Arc::new(PictureDataset::new(Box::new(store), Targets::None, images, defaults)))
}

#[cfg(test)]
mod tests;
