//! A pass over samples without targets.

use std::fmt::Display;

use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::model::Tensors;

use super::Inference;
use crate::Error;
use crate::fit::to_device;
use crate::model::shared;
use thaw_data::PredictData;
use thaw_torch::Autocast;

/// What a batch of samples gave.
pub struct BatchOutputs {
    /// The samples, as [`PredictData::id`] knows them.
    pub indices: Vec<usize>,
    /// The model's inputs.
    pub inputs: Tensors,
    /// Its outputs.
    pub outputs: Tensors,
}

/// Limits of a prediction.
#[derive(Clone, Copy, Debug, Default)]
pub struct PredictOptions {
    /// Batches, at most.
    pub limit_batches: Option<usize>,
}

impl Inference {
    /// Gives every batch of `data` through the model to `take`, without gradients and in evaluation mode.
    ///
    /// # Errors
    /// What the data, the model, a hook or `take` fail with.
    pub fn predict<E: From<Error> + Display>(
        &mut self,
        data: &PredictData,
        options: PredictOptions,
        take: impl FnMut(BatchOutputs) -> Result<(), E>,
    ) -> Result<(), E> {
        self.with_teardown(|inference| inference.prediction_pass(data, options, take))
    }

    fn prediction_pass<E: From<Error>>(
        &mut self,
        data: &PredictData,
        options: PredictOptions,
        mut take: impl FnMut(BatchOutputs) -> Result<(), E>,
    ) -> Result<(), E> {
        self.hooks(Hook::PredictStart)?;
        self.hooks(Hook::PredictEpochStart)?;
        let limit = options.limit_batches.unwrap_or(usize::MAX);
        for (index, batch) in data.loader().map_err(Error::from)?.take(limit).enumerate() {
            let batch = batch.map_err(Error::from)?;
            let indices = batch.indices.clone();
            let (batch, _) = to_device(batch, self.model.device())?;
            self.progress.batch_index = index;
            self.hooks(Hook::PredictBatchStart)?;
            let outputs = self.forward(&batch.inputs)?;
            take(BatchOutputs { indices, inputs: batch.inputs, outputs })?;
            self.hooks(Hook::PredictBatchEnd)?;
        }
        self.hooks(Hook::PredictEpochEnd)?;
        Ok(self.hooks(Hook::PredictEnd)?)
    }

    fn forward(&mut self, inputs: &Tensors) -> Result<Tensors, Error> {
        let _guard = tch::no_grad_guard();
        let _autocast = Autocast::of(self.config.trainer.precision, self.model.device())?;
        Ok(self.model.forward(shared(inputs))?)
    }
}
