//! What metrics of a whole pass need of its batches. It stays on the device until the pass is over.

mod classes;
mod doubts;
mod numbers;
mod shared;
mod tags;

use tch::{Device, Kind, TchError, Tensor};
use thaw_metrics::{Calibration, Confusion, Metric, Of, Outcomes};
use thaw_plugin_api::model::{Batch, Task, Tensors};

use super::FitError;
use crate::Error;
use crate::error::torch;
use crate::model::HostModel;
use crate::world::World;
use classes::ClassBatches;
pub use doubts::{Doubt, Doubts};
use numbers::{ErrorBatches, NumberBatches};
use tags::TagBatches;

/// What is kept of the samples one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Predictions, targets and losses.
    Samples,
}

/// Samples one by one: of each that has a target what was predicted, and its loss.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    /// Predictions and targets.
    pub outcomes: Outcomes,
    /// Which samples they are: by position in the pass, in a test or validation of a checkpoint in the data.
    /// Those whose label is no class are left out.
    pub positions: Vec<usize>,
    /// What a batch of each of them alone has as its loss.
    pub losses: Vec<f64>,
}

/// What a pass gave, all on the host.
pub(super) struct Found {
    pub(super) confusion: Confusion,
    pub(super) calibration: Calibration,
    /// Of this process' samples.
    pub(super) doubts: Doubts,
    /// The metrics that were asked for, those without a value left out.
    pub(super) values: Vec<(Metric, f64)>,
    pub(super) samples: Option<Samples>,
    /// What is to be known of these values.
    pub(super) note: Option<String>,
}

/// The batches so far: of one kind, by what the model's outputs are.
pub(super) struct Gathered {
    metrics: Vec<Metric>,
    keep: Keep,
    classes: Option<ClassBatches>,
    tags: TagBatches,
    numbers: NumberBatches,
    errors: ErrorBatches,
    losses: Vec<Tensor>,
}

impl Gathered {
    pub(super) fn new(metrics: &[Metric], keep: Keep) -> Self {
        let (numbers, errors) = (NumberBatches::default(), ErrorBatches::default());
        let (metrics, tags) = (metrics.to_vec(), TagBatches::default());
        Self { metrics, keep, classes: None, tags, numbers, errors, losses: Vec::new() }
    }

    /// Takes a batch. Nothing waits for the device.
    pub(super) fn take(
        &mut self,
        model: &mut HostModel,
        batch: &Batch,
        outputs: &Tensors,
    ) -> Result<(), Error> {
        let needs_numbers = !self.metrics.is_empty() || self.keep == Keep::Samples;
        let (output, target) = (outputs.iter().next().map(|(_, output)| output), &batch.target);
        let input = batch.inputs.iter().next().map(|(_, input)| input);
        let go_together = |one: &Tensor, other: &Tensor| one.dim() > 0 && one.numel() == other.numel();
        let taken = match (model.task(), output, target, input) {
            (Task::Classification, Some(logits), Some(labels), _)
                if logits.dim() == 2 && labels.dim() == 1 =>
            {
                self.add_classes(logits, labels)?;
                true
            }
            (Task::Classification, Some(logits), Some(target), _)
                if needs_numbers && model.is_multi_label() && logits.size() == target.size() =>
            {
                self.tags.push(logits, target).map_err(torch("predicted labels"))?;
                true
            }
            (Task::Regression, Some(output), Some(target), _)
                if needs_numbers && go_together(output, target) =>
            {
                self.numbers.push(output, target).map_err(torch("predicted numbers"))?;
                true
            }
            (Task::Reconstruction, Some(output), _, Some(input))
                if needs_numbers && go_together(output, input) =>
            {
                self.errors.push(output, input).map_err(torch("errors of a reconstruction"))?;
                true
            }
            _ => false,
        };
        if !taken && let Some(metric) = self.metrics.first() {
            return Err(does_not_fit(*metric, outputs, target.as_ref()).into());
        }
        if self.keep == Keep::Samples {
            self.losses.push(model.sample_losses(batch, outputs)?);
        }
        Ok(())
    }

    fn add_classes(&mut self, logits: &Tensor, labels: &Tensor) -> Result<(), FitError> {
        let batches = match &mut self.classes {
            Some(batches) => batches,
            none => {
                let classes = usize::try_from(logits.size()[1]).unwrap_or(0);
                for metric in &self.metrics {
                    let checked = metric.check(Of::Classes(Some(classes)));
                    checked.map_err(|misfit| FitError::Config(format!("trainer.metrics: {}", misfit.0)))?;
                }
                none.insert(ClassBatches::new(classes, &self.metrics))
            }
        };
        batches.push(logits, labels).map_err(torch("predicted classes"))
    }

    /// What they are of, and where samples with a class stand in the pass.
    fn outcomes(&self) -> Result<(Outcomes, Option<Vec<usize>>), FitError> {
        if let Some(batches) = &self.classes {
            let (samples, positions) = batches.finish().map_err(torch("predicted classes"))?;
            return Ok((Outcomes::Labelled(samples), Some(positions)));
        }
        if !self.tags.is_empty() {
            return Ok((Outcomes::Tagged(self.tags.finish().map_err(torch("predicted labels"))?), None));
        }
        let numbers = self.numbers.finish().map_err(torch("predicted numbers"))?;
        if !numbers.is_empty() {
            return Ok((Outcomes::Numbers(numbers), None));
        }
        let sums = self.errors.finish().map_err(torch("errors of a reconstruction"))?;
        Ok((if sums.count > 0.0 { Outcomes::Sums(sums) } else { Outcomes::None }, None))
    }

    /// All of them together, of all processes; waits for the device.
    pub(super) fn finish(self, world: &World) -> Result<Found, Error> {
        let (own, positions) = self.outcomes()?;
        let doubts = match (&own, &positions) {
            (Outcomes::Labelled(samples), Some(positions)) => Doubts::of(samples, positions),
            _ => Doubts::default(),
        };
        let outcomes = shared::of_all(world, own)?;
        let (confusion, calibration) = match &outcomes {
            Outcomes::Labelled(samples) => (samples.confusion(), samples.calibration()),
            _ => (Confusion::default(), Calibration::default()),
        };
        let values = self.metrics.iter().filter_map(|metric| Some((*metric, outcomes.value(*metric)?)));
        let values = values.collect();
        let note = note_of(&self.metrics, &outcomes);
        let samples = match self.keep {
            Keep::Nothing => None,
            Keep::Samples => {
                let losses = numbers_of(&self.losses).map_err(torch("losses of samples"))?;
                let positions = positions.unwrap_or_else(|| (0..losses.len()).collect());
                let losses = positions.iter().filter_map(|position| losses.get(*position).copied()).collect();
                Some(Samples { outcomes, positions, losses })
            }
        };
        Ok(Found { confusion, calibration, doubts, values, samples, note })
    }
}

/// What areas under curves make of classes that do not occur, and what one sample is too few for.
fn note_of(metrics: &[Metric], outcomes: &Outcomes) -> Option<String> {
    if let Outcomes::Numbers(numbers) = outcomes
        && numbers.len() < 2
        && metrics.contains(&Metric::R2)
    {
        return Some("`r2` is NaN: it needs at least two samples".to_owned());
    }
    let areas: Vec<String> =
        metrics.iter().filter(|metric| metric.needs_probabilities()).map(Metric::to_string).collect();
    let Outcomes::Labelled(samples) = outcomes else { return None };
    let absent = samples.support().iter().filter(|support| **support == 0).count();
    (absent > 0 && !areas.is_empty()).then(|| {
        format!(
            "{absent} of {} classes have no sample here: `auroc` counts such a class with 0, \
             `average_precision` leaves it out ({})",
            samples.classes,
            areas.join(", ")
        )
    })
}

/// The numbers of these tensors, one after the other, in float64.
fn numbers_of(tensors: &[Tensor]) -> Result<Vec<f64>, TchError> {
    if tensors.is_empty() {
        return Ok(Vec::new());
    }
    let flat = tensors.iter().map(|tensor| tensor.f_reshape([-1])).collect::<Result<Vec<_>, _>>()?;
    let all = Tensor::f_cat(&flat, 0)?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Double)?;
    Vec::<f64>::try_from(all)
}

fn does_not_fit(metric: Metric, outputs: &Tensors, target: Option<&Tensor>) -> FitError {
    let output = outputs.iter().next().map(|(_, output)| output.size());
    let target = target.map(Tensor::size);
    let shape = |size: Option<Vec<i64>>| size.map_or("none".to_owned(), |size| format!("{size:?}"));
    FitError::Config(format!(
        "trainer.metrics: `{metric}` needs outputs [samples, classes] with one label a sample, or as many \
         numbers as there are targets; the first output is {}, the target {}. Take the metrics out of \
         [trainer]",
        shape(output),
        shape(target)
    ))
}
