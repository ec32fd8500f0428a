//! Validation: a pass over data without gradients, every module in evaluation mode.

use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::model::{Batch, Precision, Task};

use super::step::to_device;
use super::{Fit, Meter};
use crate::Error;
use crate::data::Split;
use crate::fit::error::torch;
use crate::model::{HostModel, Phase};
use crate::torch::Autocast;

/// What a pass over validation data gave.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Means by name: `val_loss`, `val_acc`, ….
    pub metrics: Meter,
    /// Hits and samples of each class, for classification.
    pub classes: Vec<(u64, u64)>,
}

/// Loss and metrics of one batch of validation, added to `evaluation`.
///
/// # Errors
/// The model refuses the batch.
pub fn evaluate_batch(
    model: &mut HostModel,
    batch: &Batch,
    samples: usize,
    precision: Precision,
    evaluation: &mut Evaluation,
) -> Result<(), Error> {
    let _autocast = Autocast::of(precision, model.device())?;
    let output = model.step(batch)?;
    let loss = output.loss.f_double_value(&[]).map_err(torch("reading the loss"))?;
    evaluation.metrics.add("val_loss", loss, samples);
    for (name, value) in &output.metrics {
        evaluation.metrics.add(&format!("val_{name}"), *value, samples);
    }
    if model.task() == Task::Classification {
        count_classes(&output.outputs, batch, &mut evaluation.classes)?;
    }
    Ok(())
}

fn count_classes(
    outputs: &thaw_plugin_api::model::Tensors,
    batch: &Batch,
    classes: &mut Vec<(u64, u64)>,
) -> Result<(), Error> {
    let (Some((_, logits)), Some(target)) = (outputs.iter().next(), &batch.target) else { return Ok(()) };
    if logits.dim() != 2 || target.dim() != 1 {
        return Ok(());
    }
    let predicted =
        logits.f_argmax(-1, false).and_then(Vec::<i64>::try_from).map_err(torch("predicted classes"))?;
    let labels = Vec::<i64>::try_from(target).map_err(torch("labels"))?;
    for (predicted, label) in predicted.into_iter().zip(labels) {
        // A step of the model's own may take labels that are no classes.
        let Some(index) = usize::try_from(label).ok().filter(|_| label < logits.size()[1]) else { continue };
        if classes.len() <= index {
            classes.resize(index + 1, (0, 0));
        }
        classes[index].0 += u64::from(predicted == label);
        classes[index].1 += 1;
    }
    Ok(())
}

impl Fit {
    /// The first batches of validation, to find errors before an epoch is spent.
    pub(super) fn sanity_check(&mut self) -> Result<(), Error> {
        let batches =
            self.state.config.trainer.num_sanity_val_steps.min(self.state.progress.num_validation_batches);
        if batches == 0 {
            return Ok(());
        }
        self.hooks(Hook::SanityCheckStart)?;
        self.validation_pass(batches)?;
        self.hooks(Hook::SanityCheckEnd)
    }

    /// A validation; its metrics become the latest ones.
    pub(super) fn validate(&mut self) -> Result<(), Error> {
        let batches = self.state.progress.num_validation_batches;
        if batches == 0 {
            return Ok(());
        }
        self.validation_pass(batches).map(drop)
    }

    fn validation_pass(&mut self, batches: usize) -> Result<(), Error> {
        let sanity = self.state.is_fresh();
        let batch_index = self.state.progress.batch_index;
        self.hooks(Hook::ValidationStart)?;
        self.state.model.set_phase(Phase::Validate);
        let result = self.validation_batches(batches, sanity);
        self.state.model.set_phase(Phase::Train);
        self.state.progress.batch_index = batch_index;
        result?;
        self.hooks(Hook::ValidationEnd)
    }

    fn validation_batches(&mut self, batches: usize, sanity: bool) -> Result<(), Error> {
        self.hooks(Hook::ValidationEpochStart)?;
        let mut evaluation = Evaluation::default();
        let loader = self.state.data.loader(Split::Val, self.state.progress.epoch as u64, 0)?;
        for (index, batch) in loader.into_iter().flatten().take(batches).enumerate() {
            let (batch, samples) = to_device(batch?, self.state.model.device())?;
            self.state.progress.batch_index = index;
            self.hooks(Hook::ValidationBatchStart)?;
            {
                let _guard = tch::no_grad_guard();
                evaluate_batch(
                    &mut self.state.model,
                    &batch,
                    samples,
                    self.state.config.trainer.precision,
                    &mut evaluation,
                )?;
            }
            self.hooks(Hook::ValidationBatchEnd)?;
        }
        let loss = evaluation.metrics.mean("val_loss");
        if !sanity {
            for (name, mean) in evaluation.metrics.means() {
                self.state.metrics.insert(name.to_owned(), mean);
            }
            self.state.validation = Some(evaluation);
        }
        self.hooks(Hook::ValidationEpochEnd)?;
        Ok(self.state.check_validation_loss(loss)?)
    }
}
