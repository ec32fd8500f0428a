//! The run config's data, as the model takes it.

use std::sync::Arc;

use thaw_plugin_api::context::{Progress, Stage};

use crate::Error;
use crate::checkpoint::EarlierData;
use crate::config::{BatchLimit, ConfigError, RunConfig};
use crate::fit::val_check::val_check_batch;
use crate::fit::{FitError, PluginData, classes};
use crate::model::HostModel;
use thaw_data::{DataConfig, DataError, DataModule, Delivery, InputDefaults, Interpolation, Limits, Split};
use thaw_plugins::PluginSet;
use thaw_torch::buffers::Place;

/// The data with what the model says of its inputs. `outputs` are the classes in the order of the model's
/// outputs, where that is known: where the data has no others and the run config lists none, its classes have
/// that order. `earlier` is what the checkpoint says, where there is one.
///
/// # Errors
/// There is no `[data]`, or it cannot be read.
pub fn open_data(
    config: &RunConfig,
    model: &HostModel,
    plugins: &PluginSet,
    earlier: &EarlierData,
    outputs: &[String],
) -> Result<DataModule, Error> {
    let data = config.data.as_ref().ok_or_else(|| ConfigError::Incomplete {
        path: config.path.clone(),
        message: "there is no table [data], so that there is nothing to train on".to_owned(),
    })?;
    let plugin = PluginData::open(config, data, plugins, earlier)?;
    let defaults = input_defaults(model);
    let open = |data: &DataConfig| {
        let opened = match &plugin {
            Some(PluginData { samples, config: prepared }) => {
                let mut prepared = prepared.clone();
                prepared.classes = data.class_order().map(<[String]>::to_vec).or(prepared.classes);
                DataModule::of_shared_samples(Arc::clone(samples), &prepared, config.seed, &defaults)
            }
            None => DataModule::open_split_by(data, config.seed, &defaults, earlier.split_by.clone()),
        };
        opened.map_err(DataError::at_start)
    };
    let mut opened = open(data)?;
    let order = classes::in_order_of(outputs, opened.class_names());
    if let Some(order) = order.filter(|order| order != opened.class_names() && !data.lists_classes()) {
        opened = open(&data.with_classes(&order))?;
    }
    if config.trainer.overfit_batches.is_some() {
        opened.keep_order();
    }
    opened.limit(batch_limits(config, &opened)?);
    if model.device().is_cuda() {
        opened.deliver(Delivery::Device(Place::Pinned));
    }
    if let Some(classes) = config.model.config.get("num_classes").and_then(serde_json::Value::as_u64) {
        opened.check_num_classes(classes as usize)?;
    }
    Ok(opened)
}

/// How many batches of training and validation the run config takes of this data; None for all.
///
/// # Errors
/// A share of them that is less than one batch.
pub fn batch_limits(config: &RunConfig, data: &DataModule) -> Result<Limits, ConfigError> {
    let trainer = &config.trainer;
    let number = |split: Split, limit: Option<BatchLimit>, key: &str| {
        let (limit, key) = match trainer.overfit_batches {
            Some(limit) => (Some(limit), "trainer.overfit_batches"),
            None => (limit, key),
        };
        let number = limit.map(|limit| limit.of(data.batches(split), key)).transpose();
        number.map_err(|error| ConfigError::Key { path: config.path.clone(), error })
    };
    Ok(Limits {
        train: number(Split::Train, trainer.limit_train_batches, "trainer.limit_train_batches")?,
        val: number(Split::Val, trainer.limit_val_batches, "trainer.limit_val_batches")?,
    })
}

/// How many batches of a validation set beside the main one the run config takes, of so many.
///
/// # Errors
/// A share of them that is less than one batch.
pub fn set_batches(config: &RunConfig, batches: usize) -> Result<usize, ConfigError> {
    let trainer = &config.trainer;
    let (limit, key) = match trainer.overfit_batches {
        Some(limit) => (Some(limit), "trainer.overfit_batches"),
        None => (trainer.limit_val_batches, "trainer.limit_val_batches"),
    };
    let number = limit.map_or(Ok(batches), |limit| limit.of(batches, key));
    number.map_err(|error| ConfigError::Key { path: config.path.clone(), error })
}

/// What the model says of its inputs, as the data side takes it.
pub fn input_defaults(model: &HostModel) -> InputDefaults {
    let input = &model.description().input;
    let narrow = |values: Option<[f64; 3]>| values.map(|values| values.map(|value| value as f32));
    let interpolation = match input.interpolation.as_deref() {
        Some("bicubic") => Some(Interpolation::Bicubic),
        Some("bilinear") => Some(Interpolation::Bilinear),
        _ => None,
    };
    InputDefaults {
        image_size: input.image_size,
        mean: narrow(input.mean),
        std: narrow(input.std),
        crop_pct: input.crop_pct,
        interpolation,
        max_length: input.max_length,
    }
}

/// The start of a run, with how many epochs, steps and batches it is to have.
///
/// # Errors
/// It has no batch to train on.
pub(super) fn start_of(config: &RunConfig, data: &DataModule) -> Result<Progress, Error> {
    let limits = batch_limits(config, data)?;
    let limited = |batches: usize, limit: Option<usize>| limit.map_or(batches, |limit| batches.min(limit));
    let progress = Progress {
        stage: Stage::Fit,
        max_epochs: config.trainer.max_epochs,
        max_steps: config.trainer.max_steps,
        num_training_batches: limited(data.batches(Split::Train), limits.train),
        num_validation_batches: limited(data.batches(Split::Val), limits.val),
        ..Progress::default()
    };
    if progress.num_training_batches == 0 {
        return Err(FitError::NoBatches("use a smaller batch_size, or drop_last = false".to_owned()).into());
    }
    for set in data.further_sets() {
        set_batches(config, set.data().batches())?;
    }
    val_check_batch(&config.trainer, progress.num_training_batches)
        .map_err(|error| ConfigError::Key { path: config.path.clone(), error })?;
    Ok(progress)
}
