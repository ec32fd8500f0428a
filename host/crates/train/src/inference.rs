//! A trained model out of a checkpoint: what `host validate`, `host test` and `host predict` run.

mod pass;
mod predict;
mod services;
mod test;
mod validate;

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::{Progress, Stage};
use thaw_plugin_api::dataset::Split;
use thaw_plugin_api::drive::{self, Call, Instances};

pub use predict::{BatchOutputs, PredictOptions};

use crate::Error;
use crate::checkpoint::{Checkpoint, EarlierData, SavedCallback};
use crate::config::{ConfigError, RunConfig};
use crate::fit::{
    BatchOutcome, Keep, Labels, Meter, PluginData, check_metrics, name_files, set_loss, take_count,
};
use crate::model::{HostModel, Phase};
use crate::parts::{build_model, load_checkpoint, precision_on, prepare_torch};
use pass::Pass;
use services::View;
use thaw_data::{DataConfig, Dataset, FurtherSet};
use thaw_plugins::{Instance, PluginSet};

/// What a trained model is used on.
pub enum UsedOn<'p> {
    /// Files of the kind that the run trained on.
    Path(&'p Path),
    /// A split of the plugin's data set that the run trained on.
    Split(Split, Box<PluginData>),
}

/// A model with a checkpoint's weights and freeze state, and the run's strategies and callbacks with their
/// state.
pub struct Inference {
    config: RunConfig,
    model: HostModel,
    callbacks: Vec<Instance>,
    progress: Progress,
    metrics: std::collections::BTreeMap<String, f64>,
    exception: Option<String>,
    plugins: PluginSet,
    /// What a validation is to go over, and then what it gave.
    pass: Pass,
    /// What of its samples is kept.
    keep: Keep,
    /// The samples in the order in which the pass meets them.
    order: Vec<usize>,
    /// Validation sets beside the main one, and what they gave.
    sets: Vec<Arc<FurtherSet>>,
    further: Meter,
    /// What a validation or test is over.
    data: Option<Arc<dyn Dataset>>,
    /// What hooks can look at of the batch that is done.
    outcome: Option<BatchOutcome>,
    /// What the run's data was.
    earlier: EarlierData,
}

impl Inference {
    /// Builds the config's model and loads the checkpoint into it. Strategies and callbacks that no loaded
    /// plugin offers are left out with a warning: a model can be used without what trained it.
    ///
    /// # Errors
    /// No plugin offers the model, or the checkpoint is another model's.
    pub fn new(
        mut config: RunConfig,
        plugins: &PluginSet,
        device: tch::Device,
        checkpoint: &Checkpoint,
        stage: Stage,
    ) -> Result<Self, Error> {
        precision_on(&mut config, device);
        prepare_torch(&config, device)?;
        name_files(&mut config, plugins);
        take_count(&mut config, checkpoint);
        let mut model = build_model(&config, plugins, device, checkpoint)?;
        load_checkpoint(&mut model, &checkpoint.model_file(), &checkpoint.state.trained.modules)?;
        model.expect_classes(checkpoint.state.given.class_names.len());
        // Predictions have no loss.
        if stage != Stage::Predict {
            let given = &checkpoint.state.given;
            set_loss(
                &config,
                &mut model,
                &given.class_names,
                Labels::Weighted(given.class_weights.as_deref()),
            )?;
            check_metrics(&config, &model)?;
        }
        model.set_phase(Phase::Validate);
        let progress = Progress {
            stage,
            epoch: checkpoint.state.position.epoch,
            global_step: checkpoint.state.position.global_step,
            max_epochs: config.trainer.max_epochs,
            max_steps: config.trainer.max_steps,
            ..Progress::default()
        };
        let callbacks = callbacks_there_are(&config, plugins)?;
        let metrics = checkpoint.state.measured.metrics.clone();
        let earlier = match stage {
            // Predictions split nothing off.
            Stage::Predict => EarlierData { state: checkpoint.data_state(), ..EarlierData::default() },
            _ => checkpoint.data(),
        };
        let mut inference = Self {
            config,
            model,
            callbacks,
            progress,
            metrics,
            exception: None,
            plugins: plugins.clone(),
            pass: Pass::default(),
            keep: Keep::Nothing,
            order: Vec::new(),
            sets: Vec::new(),
            further: Meter::default(),
            data: None,
            outcome: None,
            earlier,
        };
        let saved = checkpoint.state.callbacks.clone();
        if let Err(error) = drive::open(&mut inference, |inference| inference.restore_callbacks(saved)) {
            drive::fail(&mut inference, &error);
            return Err(error);
        }
        Ok(inference)
    }

    /// The run config.
    pub fn config(&self) -> &RunConfig {
        &self.config
    }

    /// Keeps what a validation or a test predicts of each sample, in the `samples` of its
    /// [`Evaluation`](crate::fit::Evaluation).
    pub fn keep_samples(&mut self) {
        self.keep = Keep::Samples;
    }

    /// The model.
    pub fn model(&self) -> &HostModel {
        &self.model
    }

    /// The data set of a plugin that the run trained on, where it did.
    ///
    /// # Errors
    /// There is no `[data]`, or the data set cannot be opened.
    pub fn plugin_data(&self) -> Result<Option<PluginData>, Error> {
        PluginData::open(&self.config, self.data_config()?, &self.plugins, &self.earlier)
    }

    /// The table `[data]`.
    ///
    /// # Errors
    /// There is none.
    pub fn data_config(&self) -> Result<&DataConfig, Error> {
        let missing = || ConfigError::Incomplete {
            path: self.config.path.clone(),
            message: "there is no table [data], whose kind says how samples are read".to_owned(),
        };
        Ok(self.config.data.as_ref().ok_or_else(missing)?)
    }

    fn restore_callbacks(&mut self, mut saved: Vec<SavedCallback>) -> Result<(), Error> {
        for callback in &mut self.callbacks {
            if let Some(index) = saved.iter().position(|saved| saved.id == callback.id()) {
                callback.load_state(&saved.remove(index).state)?;
            }
        }
        Ok(())
    }

    /// Runs `work`, and whatever comes of it `teardown`.
    fn with_teardown<T, E>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error> + Display,
    {
        let value = match work(self) {
            Ok(value) => value,
            Err(error) => {
                drive::fail(self, &error);
                return Err(error);
            }
        };
        drive::teardown(self)?;
        Ok(value)
    }
}

impl Instances for Inference {
    type Error = Error;

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.progress
    }

    fn count(&self) -> usize {
        self.callbacks.len()
    }

    fn kind(&self, index: usize) -> Kind {
        self.callbacks[index].kind()
    }

    fn call(&mut self, index: usize, call: Call) -> Result<(), Error> {
        let mut view = View {
            model: &mut self.model,
            metrics: &mut self.metrics,
            outcome: self.outcome.as_ref(),
            exception: self.exception.as_deref(),
        };
        Ok(self.callbacks[index].run(call, &self.progress, &mut view)?)
    }

    fn failed(&mut self, reason: &dyn Display) {
        self.exception = Some(reason.to_string());
    }

    fn tell(&mut self, error: Error) {
        tracing::warn!("{error}");
    }
}

/// The run's strategies and callbacks, without those that no loaded plugin has.
fn callbacks_there_are(config: &RunConfig, plugins: &PluginSet) -> Result<Vec<Instance>, Error> {
    let is_there = |id: &str| {
        let is_there = plugins.offers_instance(id);
        if !is_there {
            tracing::warn!("no loaded plugin has `{id}` of the run: going on without it");
        }
        is_there
    };
    let tables = config.callbacks.iter().filter(|table| is_there(&table.id));
    tables.map(|table| Ok(plugins.create(&table.id, &table.config)?)).collect()
}
