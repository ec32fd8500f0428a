//! Data in IDX files, as MNIST has them: a file of pictures and a file of labels for each split.
//!
//! [`Idx`] is the data set; [`IdxFile`] reads the format, whatever it holds.

mod file;

use std::path::{Path, PathBuf};

pub use file::IdxFile;
use thaw_plugin_api::dataset::Dataset;
use thaw_plugin_api::prelude::*;

/// How samples are given to the host.
#[derive(Clone, Copy, Config, Debug, PartialEq, Eq)]
pub enum Given {
    /// As grey pictures, which the host resizes, augments and normalises: files of bytes,
    /// `[n, rows, columns]`.
    Pictures,
    /// As arrays called `x`, of whatever type and shape.
    Arrays,
}

/// The files of an IDX data set, and what to make of them.
#[derive(Clone, Config, Debug)]
pub struct IdxConfig {
    /// The folder of the files, unpacked: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, and for
    /// `host test` `t10k-…`, under these names or with a dot before `idx`.
    pub path: PathBuf,
    /// How samples are given to the model: pictures, with the keys of pictures, or arrays `x`.
    #[config(default = Given::Pictures)]
    pub samples: Given,
    /// Names of the classes in the order of their numbers. Default: the numbers.
    pub labels: Option<Vec<String>>,
}

/// Samples in IDX files: MNIST, Fashion-MNIST, KMNIST, EMNIST and what else has its form. Splits are `train`
/// and, where its files are there, `test`; `val_split` keeps a share of `train` for validation.
pub struct Idx {
    given: Given,
    train: Files,
    test: Option<Files>,
    class_names: Vec<String>,
}

/// What stands before the names of a split's files.
const TRAIN: &str = "train";
const TEST: &str = "t10k";

/// Samples and labels of a split.
struct Files {
    samples: IdxFile,
    labels: IdxFile,
}

impl Files {
    /// # Errors
    /// One is missing, damaged, or does not belong to the other.
    fn open(folder: &Path, split: &str) -> Result<Self> {
        let samples = IdxFile::read(&find(folder, split, "images")?)?;
        let path = find(folder, split, "labels")?;
        let labels = IdxFile::read(&path)?;
        ensure!(
            labels.dtype() == Dtype::U8 && labels.item_shape().is_empty(),
            "{}: found {} of shape {:?} per label, expected a byte",
            path.display(),
            labels.dtype(),
            labels.item_shape()
        );
        ensure!(
            labels.len() == samples.len(),
            "{}: found {} labels, expected one for each of the {} samples",
            path.display(),
            labels.len(),
            samples.len()
        );
        Ok(Self { samples, labels })
    }

    fn label(&self, index: usize) -> usize {
        self.labels.item(index).first().copied().map_or(0, usize::from)
    }

    fn classes(&self) -> usize {
        (0..self.labels.len()).map(|index| self.label(index) + 1).max().unwrap_or(0)
    }
}

/// The file of a split, whose name ends with the number of its dimensions.
fn find(folder: &Path, split: &str, what: &str) -> Result<PathBuf> {
    let mut names: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| Error::from(error).context(folder.display()))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let start = format!("{split}-{what}");
    let is_idx = |name: &&String| {
        let rest = name.strip_prefix(&start);
        rest.is_some_and(|rest| rest.starts_with("-idx") || rest.starts_with(".idx"))
    };
    let mut found: Vec<&String> = names.iter().filter(is_idx).collect();
    found.sort_by_key(|name| name.ends_with(".gz"));
    match found.first() {
        Some(name) if !name.ends_with(".gz") => Ok(folder.join(name)),
        Some(name) => Err(Error::new(format_args!("{}: the file is packed", folder.join(name).display()))
            .help("unpack it: gunzip --keep FILE")),
        None => Err(Error::new(format_args!("{}: found no {start}-idx…", folder.display()))
            .help("set `path` in [data] to the folder of the files")),
    }
}

impl Dataset for Idx {
    const ID: &'static str = "idx";
    const DESCRIPTION: &'static str = "IDX files: MNIST, Fashion-MNIST, KMNIST, EMNIST";
    type Config = IdxConfig;

    fn new(config: IdxConfig) -> Result<Self> {
        let train = Files::open(&config.path, TRAIN)?;
        let has_test = find(&config.path, TEST, "images").is_ok();
        let test = has_test.then(|| Files::open(&config.path, TEST)).transpose()?;
        let dataset = Self { given: config.samples, train, test, class_names: Vec::new() };
        dataset.check_shapes()?;
        let classes = dataset.splits().map(Files::classes).max().unwrap_or(0);
        let class_names =
            config.labels.unwrap_or_else(|| (0..classes).map(|class| class.to_string()).collect());
        ensure!(
            class_names.len() >= classes,
            "`labels` has {} names, expected at least {classes}: one for each label that the files have",
            class_names.len()
        );
        Ok(Self { class_names, ..dataset })
    }

    fn form(&self) -> Form {
        match self.given {
            Given::Pictures => Form::Pictures,
            Given::Arrays => {
                Form::array("x", self.train.samples.dtype(), self.train.samples.item_shape().to_vec())
            }
        }
    }

    fn class_names(&self) -> Vec<String> {
        self.class_names.clone()
    }

    fn len(&self, split: Split) -> Option<usize> {
        self.files(split).map(|files| files.samples.len())
    }

    fn get(&self, split: Split, index: usize) -> Result<Sample> {
        let files = self.files(split).ok_or_else(|| Error::new(format_args!("there is no {split} split")))?;
        let (item, shape) = (files.samples.item(index), files.samples.item_shape());
        let sample = match (self.given, shape) {
            (Given::Pictures, &[height, width]) => {
                Sample::grey_pixels(u32::try_from(width)?, u32::try_from(height)?, item)
            }
            _ => Sample::array("x", Array::from_bytes(files.samples.dtype(), shape, item.to_vec())?),
        };
        Ok(sample.class(files.label(index)))
    }

    fn target(&self, split: Split, index: usize) -> Result<Option<Target>> {
        Ok(self.files(split).map(|files| Target::Class(files.label(index))))
    }

    fn in_memory(&self) -> bool {
        true
    }
}

impl Idx {
    fn splits(&self) -> impl Iterator<Item = &Files> {
        std::iter::once(&self.train).chain(&self.test)
    }

    fn files(&self, split: Split) -> Option<&Files> {
        match split {
            Split::Train => Some(&self.train),
            Split::Val => None,
            Split::Test => self.test.as_ref(),
        }
    }

    /// # Errors
    /// Samples that are no pictures, where pictures are asked for, or that differ between the splits.
    fn check_shapes(&self) -> Result<()> {
        for files in self.splits() {
            let (dtype, shape) = (files.samples.dtype(), files.samples.item_shape());
            if self.given == Given::Pictures && (dtype != Dtype::U8 || shape.len() != 2) {
                bail!(
                    "found samples of {dtype} {shape:?}, expected bytes [rows, columns]; set samples = \
                     \"arrays\""
                );
            }
            let train = (self.train.samples.dtype(), self.train.samples.item_shape());
            ensure!(
                (dtype, shape) == train,
                "the test samples are {dtype} {shape:?}, expected {} {:?} as in training",
                train.0,
                train.1
            );
        }
        Ok(())
    }
}

#[cfg(feature = "export")]
export_plugin!(datasets: [Idx]);

#[cfg(test)]
mod tests;
