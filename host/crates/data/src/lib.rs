//! Reads training data and hands it to the loop in batches.
//!
//! ```
//! use thaw_data::{DataConfig, DataModule, InputDefaults, Split};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # for (class, grey) in [("cat", 40), ("dog", 200)] {
//! #     std::fs::create_dir(folder.path().join(class))?;
//! #     for name in ["1.png", "2.png"] {
//! #         let picture = image::GrayImage::from_pixel(8, 8, image::Luma([grey]));
//! #         picture.save(folder.path().join(class).join(name))?;
//! #     }
//! # }
//! # let path = folder.path().display();
//! // The table [data] of a run config; `path` holds a folder per class.
//! let table = format!("kind = \"image-folder\"\npath = \"{path}\"\nimage_size = 8\nbatch_size = 4");
//! let config: DataConfig = toml::from_str(&table)?;
//! let data = DataModule::open(&config, 42, &InputDefaults::default())?;
//! let mut epoch = data.loader(Split::Train, 0, 0)?.expect("there are pictures");
//! let batch = epoch.next().expect("one batch")?;
//! assert_eq!(batch.inputs[0].1.size(), [4, 3, 8, 8]);
//! # Ok(())
//! # }
//! ```
//!
//! One path, from file to step: a [`DataConfig`] (the `[data]` table) opens a [`DataModule`], which
//! holds one [`Dataset`] per [`Split`]; a [`Loader`] walks one epoch of a split and yields a
//! [`Batch`] at a time, made by threads ahead of the training step.
//!
//! Data that this module does not know the form of comes as [`Samples`]: a plugin's, or that of a program
//! that embeds the trainer.
//!
//! The order of an epoch depends on the seed and the epoch alone, the augmentation of a picture on the seed,
//! the epoch and the sample: neither the number of threads nor the batch at which an epoch is taken up again
//! changes what a model sees.

mod batch;
mod cifar10;
mod config;
mod dataset;
mod defaults;
mod error;
mod features;
mod fingerprint;
mod folder;
mod image;
mod layout;
mod list;
mod loader;
mod look;
mod module;
mod pictures;
mod predict;
mod random;
mod samples;
mod share;
mod split;
mod stamps;
mod table;
mod targets;
mod tensor_file;
mod tensors;
mod test;
#[cfg(test)]
mod testing;
mod text;
mod tokenizer;
mod validation;

pub use batch::{Batch, PICTURE_INPUT};
pub use config::{
    AugmentConfig, Cifar10Config, ColorJitter, DataConfig, HeldOutConfig, ImageConfig, ImageFolderConfig,
    Interpolation, ListConfig, LoadingConfig, OnError, Padding, PluginConfig, RandomResizedCrop, ResizeMode,
    SamplesConfig, Source, Target, TensorsConfig, TextConfig, ValidationSet, ValidationSets,
};
pub use dataset::{Dataset, Pass};
pub use defaults::InputDefaults;
pub use error::DataError;
pub use error::first_names;
pub use features::{
    About, Claim, Claimed, FeatureKind, FeatureRoom, FeatureStore, Features, FeaturesBuilder, Found,
    StoredFeatures, cache_folder,
};
pub use fingerprint::{DataChange, Fingerprint, Fingerprints, Place};
pub use image::{PictureInput, picture_size};
pub use loader::Loader;
pub use look::Look;
pub use module::{DataModule, Limits, Split, SplitSummary, Summary, Varies};
pub use predict::PredictData;
pub use random::CounterRng;
pub use samples::Samples;
pub use share::Share;
pub use split::SplitBy;
pub use stamps::FileStamps;
pub use test::TestData;
pub use tokenizer::converted as converted_tokenizer;
pub use validation::FurtherSet;
