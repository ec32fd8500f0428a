//! One batch of training.

use std::borrow::Cow;

use tch::Tensor;
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::model::{Batch, StepOutput};

use super::error::torch;
use super::{Fit, FitError};
use crate::Error;
use crate::config::{ClipAlgorithm, Weighting};
use crate::data;
use crate::optimizer::Clip;
use crate::torch::{Autocast, transfer};

/// What a batch gave.
pub struct BatchResult {
    /// Its loss before any division.
    pub loss: f64,
    /// Norm of the gradients before clipping, where it was computed.
    pub grad_norm: Option<f64>,
    /// Whether the optimizer took a step.
    pub stepped: bool,
}

/// A data batch on a device.
///
/// # Errors
/// The device's memory is too small.
pub fn to_device(batch: data::Batch, device: tch::Device) -> Result<(Batch, usize), Error> {
    let samples = batch.len();
    let inputs =
        batch.inputs.into_iter().map(|(name, tensor)| Ok((name, transfer::to_device(&tensor, device)?)));
    let inputs = inputs.collect::<Result<_, crate::torch::TorchError>>()?;
    let target = batch.targets.map(|target| transfer::to_device(&target, device)).transpose()?;
    Ok((Batch { inputs, target }, samples))
}

impl Fit {
    /// Forward, backward and, at the end of a window, the optimizer's step.
    ///
    /// # Errors
    /// The model, a hook, libtorch, or a loss that is not finite.
    pub(super) fn train_batch(
        &mut self,
        batch: &Batch,
        samples: usize,
        is_last: bool,
    ) -> Result<BatchResult, Error> {
        let window = self.state.config.trainer.accumulate_grad_batches;
        let index = self.state.progress.batch_index;
        let output = self.forward(batch)?;
        let loss = output.loss.f_double_value(&[]).map_err(torch("reading the loss"))?;
        self.state.loss = Some(loss);
        if !loss.is_finite() && self.state.config.trainer.detect_anomaly {
            return Err(FitError::NotFinite { loss, epoch: self.state.progress.epoch, batch: index }.into());
        }
        self.record(loss, &output, samples);

        if self.state.window_samples == 0 {
            self.hooks(Hook::BeforeZeroGrad)?;
            self.zero_grad()?;
        }
        self.state.window_samples += samples;
        self.hooks(Hook::BeforeBackward)?;
        self.backward(&output.loss, samples)?;
        self.hooks(Hook::AfterBackward)?;

        let stepped = (index + 1).is_multiple_of(window) || is_last;
        let grad_norm = if stepped { self.optimizer_step()? } else { None };
        Ok(BatchResult { loss, grad_norm, stepped })
    }

    fn forward(&mut self, batch: &Batch) -> Result<StepOutput, Error> {
        let state = &mut self.state;
        let _autocast = Autocast::of(state.config.trainer.precision, state.model.device())?;
        Ok(state.model.step(batch)?)
    }

    fn record(&mut self, loss: f64, output: &StepOutput, samples: usize) {
        let meter = &mut self.state.meter;
        meter.add("train_loss", loss, samples);
        for (name, value) in &output.metrics {
            meter.add(&train_metric(name), *value, samples);
        }
    }

    fn zero_grad(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        if let Some(optimizer) = &mut state.optimizer {
            optimizer.zero_grad(&state.parameters).map_err(FitError::from)?;
        }
        Ok(())
    }

    fn backward(&mut self, loss: &Tensor, samples: usize) -> Result<(), Error> {
        let trainer = &self.state.config.trainer;
        let mut factor = match trainer.weighting {
            Weighting::Batches => 1.0 / trainer.accumulate_grad_batches as f64,
            // Divided by the window's samples before the step.
            Weighting::Samples => samples as f64,
        };
        if let Some(scaler) = &self.state.scaler {
            factor *= scaler.scale();
        }
        let failed = torch("backward");
        let result = if factor == 1.0 {
            loss.f_backward()
        } else {
            loss.f_mul_scalar(factor).and_then(|scaled| scaled.f_backward())
        };
        result.map_err(failed)?;
        Ok(())
    }

    /// The step, with everything around it; gives the gradients' norm where clipping computed it.
    pub(super) fn optimizer_step(&mut self) -> Result<Option<f64>, Error> {
        if self.state.audit_gradients {
            self.audit_gradients()?;
        }
        let skip = self.unscale()?;
        self.hooks(Hook::BeforeOptimizerStep)?;
        let grad_norm = self.clip()?;
        self.state.check_gradient_norm(grad_norm.filter(|_| !skip))?;
        let state = &mut self.state;
        if let Some(optimizer) = state.optimizer.as_mut().filter(|_| !skip) {
            optimizer.step(&state.parameters).map_err(FitError::from)?;
        }
        state.progress.global_step += 1;
        self.hooks(Hook::AfterOptimizerStep)?;
        self.step_schedulers()?;
        Ok(grad_norm)
    }

    /// Takes loss scaling and weights by samples out of the gradients; true where the step is to be left out.
    fn unscale(&mut self) -> Result<bool, Error> {
        let state = &mut self.state;
        let mut scale = match state.config.trainer.weighting {
            Weighting::Batches => 1.0,
            Weighting::Samples => state.window_samples.max(1) as f64,
        };
        scale *= state.scaler.as_ref().map_or(1.0, super::scaler::LossScaler::scale);
        // A scale that has fallen to 1 still has to be told of gradients that are not finite.
        let is_scaled = scale != 1.0 || state.scaler.is_some();
        let Some(optimizer) = state.optimizer.as_mut().filter(|_| is_scaled) else { return Ok(false) };
        let found_inf = optimizer.unscale(&state.parameters, scale).map_err(FitError::from)?;
        if let Some(scaler) = &mut state.scaler {
            scaler.update(found_inf);
            return Ok(found_inf);
        }
        Ok(false)
    }

    fn clip(&mut self) -> Result<Option<f64>, Error> {
        let state = &mut self.state;
        let Some(limit) = state.config.trainer.gradient_clip_val.filter(|limit| *limit > 0.0) else {
            return Ok(None);
        };
        let clip = match state.config.trainer.gradient_clip_algorithm {
            ClipAlgorithm::Norm => Clip::Norm(limit),
            ClipAlgorithm::Value => Clip::Value(limit),
        };
        let Some(optimizer) = &mut state.optimizer else { return Ok(None) };
        Ok(optimizer.clip(&state.parameters, clip).map_err(FitError::from)?)
    }

    fn audit_gradients(&mut self) -> Result<(), Error> {
        self.state.audit_gradients = false;
        let state = &self.state;
        let Some(optimizer) = &state.optimizer else { return Ok(()) };
        let grouped = optimizer.groups().iter().flat_map(|group| &group.parameters);
        let trainable = grouped
            .filter(|name| state.model.tree().parameter(name).is_ok_and(|parameter| parameter.requires_grad));
        let gradients =
            trainable.filter_map(|name| Some((name.as_str(), state.parameters.get(name)?.grad().defined())));
        let findings = super::audit::gradients(gradients);
        state.report_findings(findings)
    }
}

/// Lightning's names; those of the tasks are there already, so that no text is made for each batch.
fn train_metric(name: &str) -> Cow<'static, str> {
    match name {
        "acc" => "train_acc".into(),
        "mae" => "train_mae".into(),
        other => format!("train_{other}").into(),
    }
}
