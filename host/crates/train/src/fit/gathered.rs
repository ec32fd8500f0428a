//! What metrics of a whole pass need of its batches. It stays on the device until the pass is over.

mod classes;
mod numbers;

use tch::{Device, Kind, TchError, Tensor};
use thaw_metrics::{Calibration, Confusion, Metric, Of, Outcomes};
use thaw_plugin_api::model::{Batch, Task, Tensors};

use super::FitError;
use crate::Error;
use crate::error::torch;
use crate::model::HostModel;
use classes::ClassBatches;
use numbers::{ErrorBatches, NumberBatches};

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
    /// The metrics that were asked for, those without a value left out.
    pub(super) values: Vec<(Metric, f64)>,
    pub(super) samples: Option<Samples>,
}

/// The batches so far.
pub(super) struct Gathered {
    metrics: Vec<Metric>,
    keep: Keep,
    batches: Batches,
    losses: Vec<Tensor>,
}

/// By what the model's outputs are.
enum Batches {
    None,
    Classes(ClassBatches),
    Numbers(NumberBatches),
    Errors(ErrorBatches),
}

impl Gathered {
    pub(super) fn new(metrics: &[Metric], keep: Keep) -> Self {
        Self { metrics: metrics.to_vec(), keep, batches: Batches::None, losses: Vec::new() }
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
        let taken = match (model.task(), output, target, input) {
            (Task::Classification, Some(logits), Some(labels), _)
                if logits.dim() == 2 && labels.dim() == 1 =>
            {
                self.classes(logits, labels)?;
                true
            }
            (Task::Regression, Some(output), Some(target), _) if needs_numbers => {
                self.numbers(output, target).map_err(torch("predicted numbers"))?
            }
            (Task::Reconstruction, Some(output), _, Some(input)) if needs_numbers => {
                self.errors(output, input).map_err(torch("errors of a reconstruction"))?
            }
            _ => false,
        };
        if !taken && let Some(metric) = self.metrics.first() {
            return Err(does_not_fit(*metric, outputs, target.as_ref()).into());
        }
        if self.keep == Keep::Samples {
            if model.is_multi_label() {
                let reason = "rows of samples and intervals are not made of several labels per sample";
                return Err(FitError::Config(reason.to_owned()).into());
            }
            self.losses.push(model.sample_losses(batch, outputs)?);
        }
        Ok(())
    }

    fn classes(&mut self, logits: &Tensor, labels: &Tensor) -> Result<(), FitError> {
        let classes = usize::try_from(logits.size()[1]).unwrap_or(0);
        if !matches!(self.batches, Batches::Classes(_)) {
            for metric in &self.metrics {
                let checked = metric.check(Of::Classes(Some(classes)));
                checked.map_err(|misfit| FitError::Config(format!("trainer.metrics: {}", misfit.0)))?;
            }
            self.batches = Batches::Classes(ClassBatches::new(classes, &self.metrics));
        }
        match &mut self.batches {
            Batches::Classes(batches) => batches.push(logits, labels).map_err(torch("predicted classes")),
            _ => Ok(()),
        }
    }

    /// Gives whether output and target go together.
    fn numbers(&mut self, output: &Tensor, target: &Tensor) -> Result<bool, TchError> {
        if output.numel() != target.numel() || output.dim() == 0 {
            return Ok(false);
        }
        if !matches!(self.batches, Batches::Numbers(_)) {
            self.batches = Batches::Numbers(NumberBatches::default());
        }
        if let Batches::Numbers(batches) = &mut self.batches {
            batches.push(output, target)?;
        }
        Ok(true)
    }

    fn errors(&mut self, output: &Tensor, input: &Tensor) -> Result<bool, TchError> {
        if output.numel() != input.numel() {
            return Ok(false);
        }
        if !matches!(self.batches, Batches::Errors(_)) {
            self.batches = Batches::Errors(ErrorBatches::default());
        }
        if let Batches::Errors(batches) = &mut self.batches {
            batches.push(output, input)?;
        }
        Ok(true)
    }

    /// All of them together; waits for the device.
    pub(super) fn finish(self) -> Result<Found, FitError> {
        let (outcomes, positions) = match &self.batches {
            Batches::None => (Outcomes::None, None),
            Batches::Classes(batches) => {
                let (samples, positions) = batches.finish().map_err(torch("predicted classes"))?;
                (Outcomes::Labelled(samples), Some(positions))
            }
            Batches::Numbers(batches) => {
                (Outcomes::Numbers(batches.finish().map_err(torch("predicted numbers"))?), None)
            }
            Batches::Errors(batches) => {
                (Outcomes::Sums(batches.finish().map_err(torch("errors of a reconstruction"))?), None)
            }
        };
        let (confusion, calibration) = match &outcomes {
            Outcomes::Labelled(samples) => (samples.confusion(), samples.calibration()),
            _ => (Confusion::default(), Calibration::default()),
        };
        let values = self.metrics.iter().filter_map(|metric| Some((*metric, outcomes.value(*metric)?)));
        let values = values.collect();
        let samples = match self.keep {
            Keep::Nothing => None,
            Keep::Samples => {
                let losses = numbers_of(&self.losses).map_err(torch("losses of samples"))?;
                let positions = positions.unwrap_or_else(|| (0..losses.len()).collect());
                let losses = positions.iter().filter_map(|position| losses.get(*position).copied()).collect();
                Some(Samples { outcomes, positions, losses })
            }
        };
        Ok(Found { confusion, calibration, values, samples })
    }
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
