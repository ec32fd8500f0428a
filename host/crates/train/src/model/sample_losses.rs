//! The loss of each sample of a batch.

use tch::Tensor;
use thaw_plugin_api::model::{Batch, Tensors};

use super::{HostModel, ModelError, task};

impl HostModel {
    /// What a batch of each of the samples alone has as its loss, given the outputs of the whole batch. A
    /// model with a step of its own computes it once more, sample by sample.
    ///
    /// # Errors
    /// The model refuses a sample.
    pub fn sample_losses(&mut self, batch: &Batch, outputs: &Tensors) -> Result<Tensor, ModelError> {
        let samples =
            batch.inputs.iter().next().map_or(0, |(_, input)| input.size().first().copied().unwrap_or(0));
        let losses = (0..samples).map(|sample| self.loss_of_sample(batch, outputs, sample));
        let losses = losses.collect::<Result<Vec<_>, _>>()?;
        Tensor::f_stack(&losses, 0).map_err(self.torch_error("losses of samples"))
    }

    fn loss_of_sample(
        &mut self,
        batch: &Batch,
        outputs: &Tensors,
        sample: i64,
    ) -> Result<Tensor, ModelError> {
        let one = |tensor: &Tensor| tensor.f_narrow(0, sample, 1);
        let each = |tensors: &Tensors| -> Result<Tensors, tch::TchError> {
            let narrowed = tensors.iter().map(|(name, tensor)| Ok((name.to_owned(), one(tensor)?)));
            Ok(narrowed.collect::<Result<Vec<_>, tch::TchError>>()?.into_iter().collect())
        };
        let alone = || {
            Ok(Batch { inputs: each(&batch.inputs)?, target: batch.target.as_ref().map(one).transpose()? })
        };
        let alone = alone().map_err(self.torch_error("a sample of a batch"))?;
        if let Some(step) = self.own_step(&alone)? {
            return Ok(step.loss);
        }
        let first = outputs.iter().next().map(|(name, output)| Ok(Tensors::one(name, one(output)?)));
        let first = first.transpose().map_err(self.torch_error("the output of a sample"))?;
        let step = task::step(self.task(), &self.loss, &alone, first.unwrap_or_default());
        Ok(step.map_err(|reason| ModelError::Data { model: self.id.clone(), reason })?.loss)
    }
}
