//! Reads training data and hands it to the loop in batches.
//!
//! One path, from file to step: a [`DataConfig`] (the `[data]` table) opens a [`DataModule`], which
//! holds one [`Dataset`] per [`Split`]; a [`Loader`] walks one epoch of a split and yields a
//! [`Batch`] at a time, made by threads ahead of the training step.
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
mod folder;
mod image;
mod layout;
mod list;
mod loader;
mod module;
mod pictures;
mod predict;
mod random;
mod split;
mod table;
mod targets;
mod tensor_file;
mod tensors;
mod test;
#[cfg(test)]
mod testing;
mod text;
mod tokenizer;

pub use batch::{Batch, PICTURE_INPUT};
pub use config::{
    AugmentConfig, Cifar10Config, ColorJitter, DataConfig, ImageConfig, ImageFolderConfig, Interpolation,
    ListConfig, LoadingConfig, OnError, Padding, RandomResizedCrop, ResizeMode, Source, Target,
    TensorsConfig, TextConfig,
};
pub use dataset::{Dataset, Pass};
pub use defaults::InputDefaults;
pub use error::DataError;
pub use error::first_names;
pub use loader::Loader;
pub use module::{DataModule, Limits, Split, SplitSummary, Summary};
pub use predict::PredictData;
pub use random::CounterRng;
pub use split::SplitBy;
pub use test::TestData;
