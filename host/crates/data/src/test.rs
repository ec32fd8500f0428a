//! Samples to test a trained model on: all of an input, with labels.

use super::DataError;
use super::cifar10::{files_folder, has_test_file, open_cifar10, own_size, training_files};
use super::config::{DataConfig, ListConfig, LoadingConfig, SamplesConfig, Source};
use super::dataset::{Dataset, Delivery, Pass};
use super::defaults::InputDefaults;
use super::error::first_names;
use super::fingerprint::Fingerprint;
use super::folder::open_folder;
use super::layout::{has_test_folder, test_folder};
use super::list::open_list;
use super::loader::{Loader, Walk, workers};
use super::samples::{self, Samples};
use super::share::Share;
use super::tensor_file::TensorFile;
use super::tensors::{Keys, open_tensors};
use super::text::{TextEncoder, open_texts};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thaw_plugin_api::dataset::Split;

/// Labelled samples in their own order, prepared as in validation.
pub struct TestData {
    dataset: Arc<dyn Dataset>,
    batch_size: usize,
    workers: Option<usize>,
    prefetch_mib: usize,
    /// The part of each batch that this process makes.
    share: Share,
}

impl TestData {
    /// What a test takes where nobody names anything: `test_path`, or the test split that `path` holds, of
    /// folders of pictures and of CIFAR-10's files.
    pub fn input_of(config: &DataConfig) -> Option<PathBuf> {
        let own = match &config.source {
            Source::ImageFolder(source) => Some(&source.path).filter(|path| has_test_folder(path)),
            Source::Cifar10(source) => Some(&source.path).filter(|path| has_test_file(path)),
            _ => None,
        };
        config.held_out.test_path.as_ref().or(own).cloned()
    }

    /// Opens all samples of an input of the kind that the config trains on; of the config's own paths only
    /// the tokenizer is read, and no share is split off. `classes` are the model's, in the order of its
    /// outputs: labels are looked up by name, and the input need not have all of them.
    ///
    /// Pictures: a folder of class folders, or one whose `test/` is such a folder, a `.csv` or `.tsv` list
    /// with the config's columns (or `path` and `label`), or CIFAR-10's files. Texts: a table with the
    /// config's columns. Tensors: a file with the config's keys.
    ///
    /// # Errors
    /// The input cannot be read, or has a class that is none of `classes`.
    pub fn open(
        config: &DataConfig,
        input: &Path,
        classes: &[String],
        defaults: &InputDefaults,
    ) -> Result<TestData, DataError> {
        if !input.exists() {
            return Err(DataError::NotFound {
                path: input.to_path_buf(),
                remedy: "name an existing file or folder with --input".to_string(),
            });
        }
        // The names of the checkpoint count, whatever the config lists.
        let config = config.with_classes(classes);
        let known = Some(classes).filter(|classes| !classes.is_empty());
        let dataset = match &config.source {
            Source::Tensors(source) => {
                let keys =
                    Keys { config: source, prefix: "", target: true, pictures: defaults.are_of_pictures() };
                open_tensors(&TensorFile::open(input, source.max_mib)?, keys, known)?
            }
            Source::Text(source) => {
                let encoder = Arc::new(TextEncoder::open(source, defaults.max_length)?);
                open_texts(input, encoder, known, true)?
            }
            Source::Plugin(source) => return Err(source.without_plugin()),
            Source::Cifar10(_) if !is_list(input) => open_files(input, &config, classes, defaults)?,
            Source::ImageFolder(_) | Source::List(_) | Source::Cifar10(_) => {
                open_pictures(&config, input, known, defaults)?
            }
        };
        Ok(TestData::of(dataset, &config.loading))
    }

    /// Opens one split of data from elsewhere. `classes` are the model's, in the order of its outputs, of
    /// which the samples need not have all.
    ///
    /// # Errors
    /// There is no such split, or samples are not what they were declared to be.
    pub fn of_samples(
        samples: &Arc<dyn Samples>,
        split: Split,
        config: &SamplesConfig,
        classes: &[String],
        defaults: &InputDefaults,
    ) -> Result<TestData, DataError> {
        let mut config = config.clone();
        if !classes.is_empty() {
            config.classes = Some(classes.to_vec());
        }
        let dataset = samples::open_split(samples, split, true, &config, defaults)?;
        Ok(TestData::of(dataset, &config.loading))
    }

    /// Whether `test_path` can be tested on, where there is one, so that a test after hours of training does
    /// not fail: it is opened, and no sample is read.
    ///
    /// # Errors
    /// As [`TestData::open`]'s, with the key.
    pub fn check(config: &DataConfig, classes: &[String], defaults: &InputDefaults) -> Result<(), DataError> {
        let Some(path) = &config.held_out.test_path else { return Ok(()) };
        if !path.exists() {
            let found = format!("{}, which is not there", thaw_terminal::escape::path(path));
            return Err(DataError::value("test_path", found, "a path of the kind of [data]"));
        }
        TestData::open(config, path, classes, defaults).map(drop)
    }

    fn of(dataset: Arc<dyn Dataset>, loading: &LoadingConfig) -> TestData {
        let batch_size = loading.val_batch_size.unwrap_or(loading.batch_size);
        let (workers, prefetch_mib) = (loading.workers, loading.prefetch_mib);
        TestData { dataset, batch_size, workers, prefetch_mib, share: Share::WHOLE }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.dataset.len()
    }

    /// True without samples; an input that opened has some.
    pub fn is_empty(&self) -> bool {
        self.dataset.is_empty()
    }

    /// What a sample is called: its file, or its row.
    pub fn id(&self, index: usize) -> String {
        self.dataset.id(index)
    }

    /// The samples.
    pub fn samples(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.dataset.as_ref())
    }

    /// Number of batches of one pass.
    pub fn batches(&self) -> usize {
        self.len().div_ceil(self.batch_size_of_all())
    }

    /// Gives this process a share of each batch, which is as many times larger as there are processes.
    pub(crate) fn share(&mut self, share: Share) {
        self.share = share;
    }

    fn batch_size_of_all(&self) -> usize {
        self.batch_size * self.share.processes()
    }

    /// Pictures that could not be read so far, by id (`on_error = "skip"`).
    pub fn skipped(&self) -> Vec<String> {
        self.dataset.skipped()
    }

    /// All batches.
    ///
    /// # Errors
    /// The threads that load data cannot be started.
    pub fn loader(&self) -> Result<Loader, DataError> {
        self.limited_loader(None)
    }

    /// So many batches. Of texts, which are sorted by length, these are the first of the file.
    ///
    /// # Errors
    /// As [`TestData::loader`].
    pub fn first(&self, batches: usize) -> Result<Loader, DataError> {
        self.limited_loader(Some(batches))
    }

    fn limited_loader(&self, limit: Option<usize>) -> Result<Loader, DataError> {
        let walk = Walk {
            pass: Pass { seed: 0, epoch: 0, view: 0, augment: false, delivery: Delivery::Cpu },
            batch_size: self.batch_size_of_all(),
            shuffle: false,
            by_length: true,
            drop_last: false,
            workers: workers(self.workers, self.dataset.as_ref(), Delivery::Cpu),
            prefetch_mib: self.prefetch_mib,
            start_batch: 0,
            limit,
        };
        Loader::of_share(Arc::clone(&self.dataset), walk, self.share)
    }
}

fn is_list(input: &Path) -> bool {
    let extension = input.extension().and_then(|extension| extension.to_str()).unwrap_or("");
    input.is_file() && ["csv", "tsv"].contains(&extension)
}

fn open_pictures(
    config: &DataConfig,
    input: &Path,
    known: Option<&[String]>,
    defaults: &InputDefaults,
) -> Result<Arc<dyn Dataset>, DataError> {
    let own;
    let images = match &config.source {
        Source::Cifar10(_) => {
            own = own_size(&config.images, defaults);
            &own
        }
        _ => &config.images,
    };
    if is_list(input) {
        let list = match &config.source {
            Source::List(list) => list.clone(),
            _ => ListConfig { classes: known.map(<[String]>::to_vec), ..ListConfig::default() },
        };
        return open_list(input, &list, known, true, (images, defaults));
    }
    if input.is_dir() {
        return open_folder(&test_folder(input, known.unwrap_or_default())?, known, images, defaults);
    }
    Err(DataError::layout(
        input,
        "it has no labels",
        "name a folder of class folders, or a .csv or .tsv list of pictures and labels (`host predict` needs \
         none)",
    ))
}

/// CIFAR-10's files: the test pictures of a folder, else its training pictures.
fn open_files(
    input: &Path,
    config: &DataConfig,
    classes: &[String],
    defaults: &InputDefaults,
) -> Result<Arc<dyn Dataset>, DataError> {
    let folder = files_folder(input);
    let test = folder.join("test_batch.bin");
    let files = if input.is_file() {
        vec![input.to_path_buf()]
    } else if test.is_file() {
        vec![test]
    } else if let Ok(files) = training_files(&folder) {
        files
    } else {
        return open_pictures(config, input, Some(classes), defaults);
    };
    let dataset = open_cifar10(&files, true, &config.images, defaults)?;
    // Its labels are numbers: they mean the same only in the same order.
    if !classes.is_empty() && dataset.class_names() != classes {
        let found = format!("its classes are {}", first_names(dataset.class_names(), 12));
        let remedy = format!("the model's are {}, in this order", first_names(classes, 12));
        return Err(DataError::layout(input, found, remedy));
    }
    Ok(dataset)
}
