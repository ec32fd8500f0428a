//! A pass over samples without targets.

use std::fmt::Display;

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::Progress;
use thaw_plugin_api::drive::{self, Batches, Call, Instances, Predicting};
use thaw_plugin_api::model::Tensors;

use super::Inference;
use crate::Error;
use crate::fit::to_device;
use crate::model::shared;
use thaw_data::{Batch, PredictData};
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
    pub fn predict<E: From<Error> + Display + 'static>(
        &mut self,
        data: &PredictData,
        options: PredictOptions,
        mut take: impl FnMut(BatchOutputs) -> Result<(), E>,
    ) -> Result<(), E> {
        let take = &mut take;
        self.with_teardown(|inference| drive::prediction(&mut Prediction { inference, data, options, take }))
    }

    fn forward(&mut self, inputs: &Tensors) -> Result<Tensors, Error> {
        let _guard = tch::no_grad_guard();
        let _autocast = Autocast::of(self.config.trainer.precision, self.model.device())?;
        Ok(self.model.forward(shared(inputs))?)
    }
}

/// A prediction that is going on.
struct Prediction<'p, E> {
    inference: &'p mut Inference,
    data: &'p PredictData,
    options: PredictOptions,
    take: &'p mut dyn FnMut(BatchOutputs) -> Result<(), E>,
}

impl<E: From<Error> + Display> Instances for Prediction<'_, E> {
    type Error = E;

    fn progress(&self) -> &Progress {
        self.inference.progress()
    }

    fn progress_mut(&mut self) -> &mut Progress {
        self.inference.progress_mut()
    }

    fn count(&self) -> usize {
        self.inference.count()
    }

    fn kind(&self, index: usize) -> Kind {
        self.inference.kind(index)
    }

    fn call(&mut self, index: usize, call: Call) -> Result<(), E> {
        Ok(self.inference.call(index, call)?)
    }

    fn failed(&mut self, reason: &dyn Display) {
        self.inference.failed(reason);
    }

    fn tell(&mut self, error: E) {
        tracing::warn!("{error}");
    }
}

impl<E: From<Error> + Display + 'static> Predicting for Prediction<'_, E> {
    type Batch = Batch;
    type Loaded = Loaded;

    fn prediction_data(&mut self) -> Result<Batches<Batch, E>, E> {
        let limit = self.options.limit_batches.unwrap_or(usize::MAX);
        let batches = self.data.loader().map_err(Error::from)?.take(limit);
        Ok(Box::new(batches.map(|batch| {
            let batch = batch.map_err(Error::from)?;
            Ok((batch.position, batch))
        })))
    }

    fn load(&mut self, batch: Batch) -> Result<Loaded, E> {
        let indices = batch.indices.clone();
        let (batch, _) = to_device(batch, self.inference.model.device())?;
        Ok(Loaded { indices, inputs: batch.inputs })
    }

    fn prediction_step(&mut self, Loaded { indices, inputs }: Loaded) -> Result<(), E> {
        let outputs = self.inference.forward(&inputs)?;
        (self.take)(BatchOutputs { indices, inputs, outputs })
    }
}

/// A batch on the model's device.
struct Loaded {
    indices: Vec<usize>,
    inputs: Tensors,
}
