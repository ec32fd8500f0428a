//! Validation: a pass over data without gradients, every module in evaluation mode.

use std::borrow::Cow;

use tch::{Device, Kind, Tensor};
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::model::{Batch, Precision, Task};

use super::events::{Asked, EventKind, Validated};
use super::readings::{Readings, Row, What};
use super::step::to_device;
use super::{Fit, Meter, Seen};
use crate::Error;
use crate::fit::error::torch;
use crate::model::{HostModel, Phase};
use thaw_torch::Autocast;
use thaw_torch::reading::{Reading, Reads};

/// What a pass over validation data gave.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// Means by name: `val_loss`, `val_acc`, ….
    pub metrics: Meter,
    /// Hits and samples of each class, for classification.
    pub classes: Vec<(u64, u64)>,
}

/// A pass over validation data under way. On a GPU nothing waits for it before [`Evaluator::finish`].
pub struct Evaluator {
    metrics: Meter,
    readings: Readings,
    /// Predicted classes and labels of the batches so far, and how many classes there are.
    classes: Vec<(Tensor, Tensor, i64)>,
}

impl Evaluator {
    /// A pass that has seen nothing yet.
    pub fn new(reads: Reads) -> Self {
        Self { metrics: Meter::default(), readings: Readings::new(reads), classes: Vec::new() }
    }

    /// Loss and metrics of one batch.
    ///
    /// # Errors
    /// The model refuses the batch.
    pub fn batch(
        &mut self,
        model: &mut HostModel,
        batch: &Batch,
        samples: usize,
        precision: Precision,
    ) -> Result<(), Error> {
        let _autocast = Autocast::of(precision, model.device())?;
        let output = model.step(batch)?;
        if model.task() == Task::Classification {
            self.classes.extend(predicted_and_true(&output.outputs, batch)?);
        }
        let metrics = output.metrics.into_iter().map(|(name, value)| (val_metric(&name), value));
        let loss = ("val_loss".into(), Reading::of(&output.loss)?);
        let (names, values) = std::iter::once(loss).chain(metrics).unzip();
        let rows =
            self.readings.push(Row { what: What::Batch, epoch: 0, batch: 0, samples, names, values })?;
        rows.iter().for_each(|row| row.add_to(&mut self.metrics));
        Ok(())
    }

    /// Means and hits over everything seen; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn finish(mut self) -> Result<Evaluation, Error> {
        self.readings.all()?.iter().for_each(|row| row.add_to(&mut self.metrics));
        Ok(Evaluation { metrics: self.metrics, classes: hits(&self.classes)? })
    }
}

/// The names of validation, without a text made for each batch.
fn val_metric(name: &str) -> Cow<'static, str> {
    match name {
        "acc" => "val_acc".into(),
        "mae" => "val_mae".into(),
        other => format!("val_{other}").into(),
    }
}

/// Predicted classes, labels and the number of classes, where the outputs are of classes.
fn predicted_and_true(
    outputs: &thaw_plugin_api::model::Tensors,
    batch: &Batch,
) -> Result<Option<(Tensor, Tensor, i64)>, Error> {
    let (Some((_, logits)), Some(target)) = (outputs.iter().next(), &batch.target) else { return Ok(None) };
    if logits.dim() != 2 || target.dim() != 1 {
        return Ok(None);
    }
    let predicted = logits.f_argmax(-1, false).map_err(torch("predicted classes"))?;
    Ok(Some((predicted, target.shallow_clone(), logits.size()[1])))
}

/// Hits and samples of each class.
fn hits(batches: &[(Tensor, Tensor, i64)]) -> Result<Vec<(u64, u64)>, Error> {
    let Some((_, _, classes)) = batches.first() else { return Ok(Vec::new()) };
    let all = |of: fn(&(Tensor, Tensor, i64)) -> &Tensor| {
        let parts: Vec<&Tensor> = batches.iter().map(of).collect();
        let joined = Tensor::f_cat(&parts, 0)?.f_to_kind(Kind::Int64)?.f_to_device(Device::Cpu)?;
        Vec::<i64>::try_from(joined)
    };
    let predicted = all(|batch| &batch.0).map_err(torch("predicted classes"))?;
    let labels = all(|batch| &batch.1).map_err(torch("labels"))?;
    let mut hits = Vec::new();
    for (predicted, label) in predicted.into_iter().zip(labels) {
        // A step of the model's own may take labels that are no classes.
        let Some(index) = usize::try_from(label).ok().filter(|_| label < *classes) else { continue };
        if hits.len() <= index {
            hits.resize(index + 1, (0, 0));
        }
        hits[index].0 += u64::from(predicted == label);
        hits[index].1 += 1;
    }
    Ok(hits)
}

impl Fit {
    /// The first batches of validation, to find errors before an epoch is spent.
    pub(super) fn sanity_check(&mut self) -> Result<(), Error> {
        let batches =
            self.state.config.trainer.num_sanity_val_steps.min(self.state.progress().num_validation_batches);
        if batches == 0 {
            let has_none = self.state.progress().num_validation_batches == 0;
            return if has_none { Ok(self.check_monitors(Seen::SanityCheck)?) } else { Ok(()) };
        }
        self.hooks(Hook::SanityCheckStart)?;
        self.validation_pass(batches, Asked::BySanityCheck)?;
        self.hooks(Hook::SanityCheckEnd)?;
        Ok(self.check_monitors(Seen::SanityCheck)?)
    }

    /// A validation; its metrics become those of the epoch.
    pub(super) fn validate(&mut self, asked: Asked) -> Result<(), Error> {
        let batches = self.state.progress().num_validation_batches;
        if batches == 0 {
            return Ok(());
        }
        self.validation_pass(batches, asked)
    }

    fn validation_pass(&mut self, batches: usize, asked: Asked) -> Result<(), Error> {
        let batch_index = self.state.progress().batch_index;
        self.tell(EventKind::ValidationStarted { asked, batches })?;
        self.hooks(Hook::ValidationStart)?;
        self.state.trained.model.set_phase(Phase::Validate);
        let result = self.validation_batches(batches, asked);
        self.state.trained.model.set_phase(Phase::Train);
        self.state.position.progress.batch_index = batch_index;
        if matches!(result, Err(Error::Interrupted)) && !self.state.is_fresh() {
            // A resumed run validates anew.
            self.checkpoint_inside_epoch()?;
            return Err(self.interrupted());
        }
        result?;
        self.hooks(Hook::ValidationEnd)
    }

    fn validation_batches(&mut self, batches: usize, asked: Asked) -> Result<(), Error> {
        self.hooks(Hook::ValidationEpochStart)?;
        let mut evaluator = Evaluator::new(self.state.measured.readings.reads());
        let epoch = self.state.progress().epoch as u64;
        let loader = self.state.data.first_of_validation(epoch, batches)?;
        for (index, batch) in loader.into_iter().flatten().take(batches).enumerate() {
            // Gradients of an unfinished window are in no checkpoint: it is finished first.
            if self.state.position.window_samples == 0 && Self::is_interrupted() {
                return Err(Error::Interrupted);
            }
            let (batch, samples) = to_device(batch?, self.state.trained.model.device())?;
            self.state.position.progress.batch_index = index;
            self.hooks(Hook::ValidationBatchStart)?;
            {
                let _guard = tch::no_grad_guard();
                let precision = self.state.config.trainer.precision;
                let seen = evaluator.batch(&mut self.state.trained.model, &batch, samples, precision);
                seen.map_err(|error| self.state.explain_memory(error, samples))?;
            }
            self.hooks(Hook::ValidationBatchEnd)?;
            self.tell(EventKind::ValidationBatchDone { samples })?;
        }
        let evaluation = evaluator.finish()?;
        let loss = evaluation.metrics.mean("val_loss");
        self.state.measured.known_metrics.extend(evaluation.metrics.means().map(|(name, _)| name.to_owned()));
        let validated = Validated { asked, metrics: &evaluation.metrics, classes: &evaluation.classes };
        self.observers.tell(&self.state.position.progress, EventKind::Validated(validated))?;
        if asked != Asked::BySanityCheck {
            for (name, mean) in evaluation.metrics.means() {
                self.state.set_metric(name, mean);
            }
            self.state.measured.validated_at = Some(self.state.progress().global_step);
            self.state.measured.validation = Some(evaluation);
        }
        self.hooks(Hook::ValidationEpochEnd)?;
        Ok(self.state.check_validation_loss(loss)?)
    }
}
