//! One batch of training.

use std::borrow::Cow;

use tch::Tensor;
use thaw_plugin_api::model::Batch;

use super::agreement::{OfProcess, TRAINING};
use super::readings::{Row, What};
use super::state::Trained;
use super::{Fit, FitError, LossScaler};
use crate::Error;
use crate::config::{ClipAlgorithm, Weighting};
use crate::error::torch;
use crate::model::{StepResult, Tape};
use thaw_data::Split;
use thaw_optim::optimizer::Clip;
use thaw_torch::Autocast;
use thaw_torch::reading::Reading;

/// What a batch gave.
pub struct BatchResult {
    /// Norm of the gradients before clipping, where it was computed.
    pub grad_norm: Option<Reading>,
    /// Whether the optimizer took a step.
    pub stepped: bool,
}

/// A batch on the run's device.
pub struct Loaded {
    pub(super) batch: Batch,
    /// Its samples, in this process.
    pub(super) samples: usize,
    /// Those of all processes together.
    pub(super) of_all: usize,
    /// This process' share in the loss over all of them.
    pub(super) share: f64,
    /// Its loss, between forward and backward.
    pub(super) loss: Option<Tensor>,
    /// What its backward pass needs besides the loss, then, too.
    pub(super) tape: Option<Tape>,
    /// The rates that its step uses, where the batch is logged.
    pub(super) rates: Option<Vec<(String, f64)>>,
    /// The model's stages that its inputs have passed already.
    pub(super) start: usize,
    /// The samples by their numbers.
    pub(super) indices: Vec<usize>,
}

/// A batch of samples, or of what the model's first stages gave for them.
pub struct Fed {
    pub(super) batch: thaw_data::Batch,
    /// How many stages that are.
    pub(super) start: usize,
}

impl Fit {
    /// The forward pass. On a GPU nothing waits for it: the loss is read some batches later.
    ///
    /// # Errors
    /// The model, or a loss that is not finite.
    pub(super) fn training_loss(&mut self, loaded: &mut Loaded) -> Result<(), Error> {
        if let Some(batch) = self.read_anew(Split::Train, loaded)? {
            (loaded.batch, loaded.start) = (batch, 0);
        }
        if !self.state.world.is_single() {
            return self.training_loss_of_all(loaded);
        }
        let mut output = self.model_step(loaded.start, &loaded.batch)?;
        loaded.loss = Some(output.loss.shallow_clone());
        loaded.tape = output.tape.take();
        self.record(output, loaded.samples)
    }

    /// The same where each process has a share of the batch, which may be empty.
    fn training_loss_of_all(&mut self, loaded: &mut Loaded) -> Result<(), Error> {
        let mut output =
            if loaded.samples > 0 { Some(self.model_step(loaded.start, &loaded.batch)?) } else { None };
        loaded.tape = output.as_mut().and_then(|output| output.tape.take());
        let weight = match &output {
            Some(_) => self.state.trained.model.loss_weight(&loaded.batch, loaded.samples)?,
            None => 0.0,
        };
        loaded.loss = output.as_ref().filter(|_| weight != 0.0).map(|output| output.loss.shallow_clone());
        let (names, values) = output.map(named).transpose()?.unwrap_or_default();
        let values = values.iter().map(Reading::read).collect::<Result<_, _>>()?;
        let own = OfProcess { samples: loaded.samples, weight, names, values };
        let all = self.agree_on_batch(TRAINING, own)?;
        (loaded.of_all, loaded.share) = (all.samples, all.share);
        self.read_later(What::Batch, all.samples, all.names, all.values)
    }

    fn model_step(&mut self, start: usize, batch: &Batch) -> Result<StepResult, Error> {
        let state = &mut self.state;
        let _autocast = Autocast::of(state.config.trainer.precision, state.trained.model.device())?;
        Ok(state.trained.model.step_from(start, batch)?)
    }

    fn record(&mut self, output: StepResult, samples: usize) -> Result<(), Error> {
        let (names, values) = named(output)?;
        self.read_later(What::Batch, samples, names, values)
    }

    /// Numbers of the present batch for the epoch's means, and to be looked at.
    fn read_later(
        &mut self,
        what: What,
        samples: usize,
        names: Vec<Cow<'static, str>>,
        values: Vec<Reading>,
    ) -> Result<(), Error> {
        let state = &mut self.state;
        let (epoch, batch) = (state.position.progress.epoch, state.position.progress.batch_index);
        let rows = state.measured.readings.push(Row { what, epoch, batch, samples, names, values })?;
        state.take(&rows);
        Ok(state.check_finite()?)
    }

    /// The norm of the gradients is to be finite, but where loss scaling leaves the step out anyway.
    fn look_at_norm(&mut self, norm: Option<&Reading>) -> Result<(), Error> {
        let Some(norm) = norm else { return Ok(()) };
        let norm = match (norm, &self.state.trained.scaler) {
            (Reading::OnDevice(norm, divisor), Some(scaler)) => {
                let looked_at = scaler.where_finite(norm).map_err(torch("looking at the gradients' norm"))?;
                Reading::OnDevice(looked_at, *divisor)
            }
            (norm, _) => norm.share(),
        };
        self.read_later(What::GradientNorm, 0, Vec::new(), vec![norm])
    }

    /// Clears the gradients of the window before.
    pub(super) fn clear_gradients(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        if let Some(optimizer) = &mut state.trained.optimizer {
            optimizer.zero_grad(&state.trained.parameters).map_err(FitError::from)?;
        }
        Ok(())
    }

    /// The backward pass of a batch, in its window.
    pub(super) fn add_gradients(&mut self, loaded: &mut Loaded) -> Result<(), Error> {
        self.state.position.window_samples += loaded.of_all;
        let Some(loss) = loaded.loss.take() else { return Ok(()) };
        let window = self.state.window();
        let state = &mut self.state;
        let trainer = &state.config.trainer;
        let of_batch = match trainer.weighting {
            Weighting::Batches => 1.0 / window as f64,
            // Divided by the window's samples before the step.
            Weighting::Samples => loaded.of_all as f64,
        };
        // Summed over the processes, shares make the loss of the whole batch.
        let factor = of_batch * loaded.share;
        let scaled = || {
            let loss = if factor == 1.0 { loss.shallow_clone() } else { loss.f_mul_scalar(factor)? };
            state
                .trained
                .scaler
                .as_ref()
                .map_or_else(|| Ok(loss.shallow_clone()), |scaler| scaler.scale(&loss))
        };
        let loss = scaled().map_err(torch("backward"))?;
        let precision = trainer.precision;
        Ok(state.trained.model.backward(&loss, loaded.tape.take(), precision)?)
    }

    /// Clips the gradients and steps.
    pub(super) fn clip_and_step(&mut self) -> Result<(), Error> {
        let grad_norm = self.clip()?;
        self.look_at_norm(grad_norm.as_ref())?;
        self.now.grad_norm = grad_norm;
        let Trained { optimizer, parameters, scaler, .. } = &mut self.state.trained;
        if let Some(optimizer) = optimizer {
            let found_inf = scaler.as_ref().map(LossScaler::found_inf);
            optimizer.step_unless(parameters, found_inf).map_err(FitError::from)?;
        }
        if let Some(scaler) = scaler {
            scaler.update()?;
        }
        self.state.position.window_samples = 0;
        Ok(())
    }

    /// Takes loss scaling and weights by samples out of the gradients.
    pub(super) fn unscale_gradients(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        let divisor = match state.config.trainer.weighting {
            Weighting::Batches => 1.0,
            Weighting::Samples => state.position.window_samples.max(1) as f64,
        };
        let Some(optimizer) = &mut state.trained.optimizer else { return Ok(()) };
        if let Some(scaler) = &mut state.trained.scaler {
            scaler.unscale(optimizer, &state.trained.parameters, divisor)?;
        } else if divisor != 1.0 {
            let unused = Tensor::f_zeros([0; 0], (tch::Kind::Float, state.trained.model.device()))
                .map_err(torch("dividing the gradients"))?;
            optimizer.unscale(&state.trained.parameters, divisor, None, &unused).map_err(FitError::from)?;
        }
        Ok(())
    }

    fn clip(&mut self) -> Result<Option<Reading>, Error> {
        let state = &mut self.state;
        let Some(limit) = state.config.trainer.gradient_clip_val.filter(|limit| *limit > 0.0) else {
            return Ok(None);
        };
        let clip = match state.config.trainer.gradient_clip_algorithm {
            ClipAlgorithm::Norm => Clip::Norm(limit),
            ClipAlgorithm::Value => Clip::Value(limit),
        };
        let Some(optimizer) = &mut state.trained.optimizer else { return Ok(None) };
        Ok(optimizer
            .clip(&state.trained.parameters, clip, state.measured.readings.reads())
            .map_err(FitError::from)?)
    }

    /// Once after groups changed: every parameter that trains is to have a gradient.
    pub(super) fn audit_gradients(&mut self) -> Result<(), Error> {
        self.state.watched.audit_gradients = false;
        let state = &self.state;
        let Some(optimizer) = &state.trained.optimizer else { return Ok(()) };
        let grouped = optimizer.groups().iter().flat_map(|group| &group.parameters);
        let trainable = grouped.filter(|name| {
            state.trained.model.tree().parameter(name).is_ok_and(|parameter| parameter.requires_grad)
        });
        let gradients = trainable
            .filter_map(|name| Some((name.as_str(), state.trained.parameters.get(name)?.grad().defined())));
        let findings = crate::audit::gradients(gradients);
        state.report_findings(findings)
    }
}

/// What a step of training gave, by Lightning's names.
fn named(output: StepResult) -> Result<(Vec<Cow<'static, str>>, Vec<Reading>), Error> {
    let loss = Reading::of(&output.loss)?;
    let metrics = output.metrics.into_iter().map(|(name, value)| (train_metric(&name), value));
    Ok(std::iter::once(("train_loss".into(), loss)).chain(metrics).unzip())
}

/// Lightning's names; those of the tasks are there already, so that no text is made for each batch.
fn train_metric(name: &str) -> Cow<'static, str> {
    match name {
        "acc" => "train_acc".into(),
        "mae" => "train_mae".into(),
        other => format!("train_{other}").into(),
    }
}
