//! The `[data]` table.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::{Path, PathBuf};
use thaw_plugin_api::config::{self, Config, between};

mod held_out;
mod kinds;
mod pictures;
mod plugin;
mod table;

use table::DataTable;

pub use held_out::{HeldOutConfig, ValidationSet, ValidationSets};
pub(crate) use kinds::LABEL_SEPARATOR;
pub use kinds::{Cifar10Config, ImageFolderConfig, ListConfig, Padding, Target, TensorsConfig, TextConfig};
pub use pictures::{
    AugmentConfig, ColorJitter, ImageConfig, Interpolation, JpegScale, OnError, RandomResizedCrop, ResizeMode,
};
pub use plugin::{PluginConfig, SamplesConfig};

/// The `[data]` table of a run config: a `kind` with its own keys, the keys of loading, and for pictures
/// those of decoding and augmentation, all side by side.
///
/// ```toml
/// [data]
/// kind = "image-folder"
/// path = "data/emoji"
/// val_split = 0.2
/// batch_size = 32
/// augment = { horizontal_flip = 0.5, random_resized_crop = { scale = [0.6, 1.0] } }
/// ```
#[derive(Debug, Clone, PartialEq, Config)]
#[config(through = DataTable)]
pub struct DataConfig {
    /// Where the samples come from.
    pub source: Source,
    /// How they are split, ordered and batched.
    pub loading: LoadingConfig,
    /// How pictures are decoded; at its defaults and unused for the other kinds.
    pub images: ImageConfig,
    /// Further validation sets and the test set; none of them for `plugin`.
    pub held_out: HeldOutConfig,
}

/// Where samples come from; `kind` in the table.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// `image-folder`: one folder of pictures per class.
    ImageFolder(ImageFolderConfig),
    /// `list`: a CSV or TSV file that names pictures and their labels.
    List(ListConfig),
    /// `cifar10`: the files of CIFAR-10's binary distribution.
    Cifar10(Cifar10Config),
    /// `tensors`: a `.safetensors` or `.npz` file.
    Tensors(TensorsConfig),
    /// `text`: rows of a CSV, TSV, JSONL or Parquet file.
    Text(TextConfig),
    /// `plugin`: the data set of a loaded plugin.
    Plugin(PluginConfig),
}

/// Keys that every kind has.
#[derive(Debug, Clone, PartialEq, Config)]
#[config(default)]
pub struct LoadingConfig {
    /// Samples per training step.
    #[config(default = 32, range = 1..)]
    pub batch_size: usize,
    /// Samples per validation step. Default: `batch_size`.
    #[config(range = 1..)]
    pub val_batch_size: Option<usize>,
    /// A new order in every training epoch. Validation is never shuffled.
    #[config(default = true)]
    pub shuffle: bool,
    /// Leaves out the last training batch if it is not full.
    #[config(default = false)]
    pub drop_last: bool,
    /// Threads that make batches; 0 makes them in the training thread. Default: the machine's cores, 0 for
    /// `tensors`.
    #[config(range = 0..=1024)]
    pub workers: Option<usize>,
    /// MiB of batches that threads hold ahead of the step, about; one batch is always made ahead.
    #[config(default = 1024)]
    pub prefetch_mib: usize,
    /// Share of each class that is kept for validation. Default: none.
    #[config(range = between(0.0, 1.0))]
    pub val_split: Option<f64>,
    /// Chooses another `val_split`; the run's seed plays no part, so that runs with other seeds are
    /// comparable.
    #[config(default = 0)]
    pub split_seed: u64,
}

impl DataConfig {
    /// Names of the kinds.
    pub const KINDS: [&'static str; 6] = DataTable::TAGS;

    /// The kind as written in the table.
    pub fn kind(&self) -> &'static str {
        DataTable::from(self.clone()).tag()
    }

    /// True if samples are pictures.
    pub fn has_pictures(&self) -> bool {
        matches!(self.source, Source::ImageFolder(_) | Source::List(_) | Source::Cifar10(_))
    }

    /// The files and folders that the table names, by their places in it: `path`, `validation/night`; of a
    /// plugin's data set its own are not known here.
    pub fn paths(&self) -> Vec<(String, &Path)> {
        let (path, others) = match &self.source {
            Source::Plugin(c) => {
                let tokenizer = c.keys.get("tokenizer").and_then(serde_json::Value::as_str);
                return tokenizer.map(|path| ("tokenizer".to_owned(), Path::new(path))).into_iter().collect();
            }
            Source::ImageFolder(c) => (&c.path, vec![("val_path", c.val_path.as_deref())]),
            Source::List(c) => {
                (&c.path, vec![("val_path", c.val_path.as_deref()), ("root", c.root.as_deref())])
            }
            Source::Cifar10(c) => (&c.path, Vec::new()),
            Source::Tensors(c) => (&c.path, vec![("val_path", c.val_path.as_deref())]),
            Source::Text(c) => (
                &c.path,
                vec![("val_path", c.val_path.as_deref()), ("tokenizer", Some(c.tokenizer.as_path()))],
            ),
        };
        let others = others.into_iter().filter_map(|(key, path)| Some((key.to_owned(), path?)));
        let own = [("path".to_owned(), path.as_path())].into_iter().chain(others);
        own.chain(self.held_out.paths()).collect()
    }

    /// Where the paths of pictures start, as written; None where samples are rows.
    pub fn picture_root(&self) -> Option<PathBuf> {
        match &self.source {
            Source::ImageFolder(c) => Some(c.path.clone()),
            Source::List(c) => {
                let own = || c.path.parent().map(Path::to_path_buf).unwrap_or_default();
                Some(c.root.clone().unwrap_or_else(own))
            }
            Source::Cifar10(c) => Some(c.path.clone()),
            Source::Tensors(_) | Source::Text(_) | Source::Plugin(_) => None,
        }
    }

    /// The same data with the names of its classes in this order; none of them says nothing. Where classes
    /// are named by folders or by the files of CIFAR-10, and where the target is a number, it is as it was.
    pub fn with_classes(&self, names: &[String]) -> DataConfig {
        let mut config = self.clone();
        let classes = match &mut config.source {
            Source::List(list) if list.target != Target::Value => &mut list.classes,
            Source::Text(text) if text.target != Target::Value => &mut text.classes,
            Source::Tensors(tensors) => &mut tensors.classes,
            Source::Plugin(plugin) => &mut plugin.order,
            _ => return config,
        };
        if !names.is_empty() {
            *classes = Some(names.to_vec());
        }
        config
    }

    /// The id of a plugin's data set, where the data is one.
    pub fn dataset_id(&self) -> Option<&str> {
        if let Source::Plugin(plugin) = &self.source { Some(&plugin.id) } else { None }
    }

    /// The order of the classes that [`with_classes`](Self::with_classes) gave a plugin's data.
    pub fn class_order(&self) -> Option<&[String]> {
        if let Source::Plugin(plugin) = &self.source { plugin.order.as_deref() } else { None }
    }

    /// Whether the table itself lists the classes.
    pub fn lists_classes(&self) -> bool {
        match &self.source {
            Source::List(list) => list.classes.is_some(),
            Source::Text(text) => text.classes.is_some(),
            Source::Tensors(tensors) => tensors.classes.is_some(),
            Source::Plugin(plugin) => plugin.keys.contains_key("classes"),
            Source::ImageFolder(_) | Source::Cifar10(_) => false,
        }
    }

    /// Whether each sample has one class, whatever the table says: folders and CIFAR-10's files name it.
    pub fn has_one_class_each(&self) -> bool {
        matches!(self.source, Source::ImageFolder(_) | Source::Cifar10(_))
    }

    pub(crate) fn val_path(&self) -> Option<&Path> {
        match &self.source {
            Source::ImageFolder(c) => c.val_path.as_deref(),
            Source::List(c) => c.val_path.as_deref(),
            Source::Cifar10(_) => None,
            Source::Tensors(c) => c.val_path.as_deref(),
            Source::Text(c) => c.val_path.as_deref(),
            Source::Plugin(_) => None,
        }
    }
}

impl Serialize for DataConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        config::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for DataConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        config::deserialize("data", deserializer)
    }
}

#[cfg(test)]
mod tests;
