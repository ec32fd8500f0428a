//! A pass over samples without targets.

use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::model::Tensors;

use super::Inference;
use crate::Error;
use crate::data::PredictData;
use crate::fit::to_device;
use crate::model::shared;
use crate::torch::Autocast;

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
    pub fn predict(
        &mut self,
        data: &PredictData,
        options: PredictOptions,
        take: impl FnMut(BatchOutputs) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.with_teardown(|inference| inference.prediction_pass(data, options, take))
    }

    fn prediction_pass(
        &mut self,
        data: &PredictData,
        options: PredictOptions,
        mut take: impl FnMut(BatchOutputs) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.hooks(Hook::PredictStart)?;
        self.hooks(Hook::PredictEpochStart)?;
        for (index, batch) in data.loader()?.take(options.limit_batches.unwrap_or(usize::MAX)).enumerate() {
            let batch = batch?;
            let indices = batch.indices.clone();
            let (batch, _) = to_device(batch, self.model.device())?;
            self.progress.batch_index = index;
            self.hooks(Hook::PredictBatchStart)?;
            let outputs = self.forward(&batch.inputs)?;
            take(BatchOutputs { indices, inputs: batch.inputs, outputs })?;
            self.hooks(Hook::PredictBatchEnd)?;
        }
        self.hooks(Hook::PredictEpochEnd)?;
        self.hooks(Hook::PredictEnd)
    }

    fn forward(&mut self, inputs: &Tensors) -> Result<Tensors, Error> {
        let _guard = tch::no_grad_guard();
        let _autocast = Autocast::of(self.config.trainer.precision, self.model.device())?;
        Ok(self.model.forward(shared(inputs))?)
    }
}
