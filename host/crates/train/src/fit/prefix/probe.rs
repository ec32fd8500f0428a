//! Whether stages give what their freeze state promises, seen on a batch.

use tch::{Kind, Tensor};
use thaw_plugin_api::model::{Batch, Tensors};

use super::fill::Tried;
use super::{Hindrance, Watch};
use crate::Error;
use crate::error::torch;
use crate::fit::RunState;
use crate::model::{Phase, shared};
use crate::random::RandomStates;
use thaw_data::Split;
use thaw_plugin_api::model::Precision;
use thaw_torch::Autocast;

impl RunState {
    /// Looks at what a model does with its first stages alone: whether it draws random numbers there, writes
    /// into its tensors, reads what trains, looks at other samples of the batch, or computes something else
    /// where it is not asked stage by stage. Everything is afterwards as before.
    ///
    /// # Errors
    /// The model fails.
    pub(super) fn probe_prefix(
        &mut self,
        split: Split,
        cut: usize,
        batch: &Batch,
        samples: usize,
    ) -> Result<Tried<()>, Error> {
        let kept: Vec<(Watch, Tensor, Tensor)> = self
            .buffers()?
            .into_iter()
            .map(|(buffer, value)| (Watch::over([("buffer", &buffer)].into_iter()), buffer, value))
            .collect();
        let states = RandomStates::of(self.trained.model.device())?;
        let phase = if split == Split::Train { Phase::Train } else { Phase::Validate };
        let found = self.look_at_prefix(phase, cut, batch, samples);
        self.trained.model.set_phase(phase);
        // Others are not written into: what was computed with them still counts.
        let mut changed = kept.iter().filter(|(watch, ..)| watch.written().is_some());
        tch::no_grad(|| {
            changed.try_for_each(|(_, buffer, value)| buffer.shallow_clone().f_copy_(value).map(drop))
        })
        .map_err(torch("putting buffers back"))?;
        states.put_back()?;
        found
    }

    fn look_at_prefix(
        &mut self,
        phase: Phase,
        cut: usize,
        batch: &Batch,
        samples: usize,
    ) -> Result<Tried<()>, Error> {
        let _autocast = Autocast::of(self.config.trainer.precision, self.trained.model.device())?;
        if tch::no_grad(|| self.trained.model.has_own_step(batch))? {
            let hook = if phase == Phase::Train { "training_step" } else { "validation_step" };
            return Ok(Err(Hindrance::OwnStep { hook }));
        }
        let stages = self.trained.model.stages();
        let (count, stage) = (stages.len(), stages[cut - 1].name.clone());
        let unsteady = |found| Ok(Err(Hindrance::Unsteady { stage: stage.clone(), found }));
        let watch = self.watch_before(cut);
        let states = RandomStates::of(self.trained.model.device())?;
        // With gradients: an output that has one was computed with something that trains.
        let whole = self.trained.model.run_stages(0, cut, shared(&batch.inputs))?;
        if whole.iter().any(|(_, tensor)| tensor.requires_grad()) {
            return unsteady("use a parameter that trains and is not named in them");
        }
        if !states.are_present()? {
            return unsteady("draw random numbers");
        }
        if watch.written().is_some() {
            return unsteady("change tensors of the model");
        }
        let is_by_sample = |tensors: &Tensors| {
            tensors.iter().all(|(_, tensor)| tensor.size().first() == Some(&(samples as i64)))
        };
        if !is_by_sample(&whole) || !is_by_sample(&batch.inputs) {
            return unsteady("take or give tensors whose first dimension is not the sample");
        }
        let part = first(&batch.inputs, samples.div_ceil(2))?;
        tch::no_grad(|| {
            let model = &mut self.trained.model;
            let tolerance = tolerance(self.config.trainer.precision, model.device());
            let alone = model.run_stages(0, cut, shared(&part))?;
            if !are_close(&alone, &first(&whole, samples.div_ceil(2))?, tolerance)? {
                return unsteady("give something else for a sample in another batch");
            }
            model.set_phase(Phase::Validate);
            let staged = model.run_stages(cut, count, alone)?;
            if !are_close(&staged, &model.forward(part)?, tolerance)? {
                return unsteady("and those after them compute something else than the model's forward");
            }
            Ok(Ok(()))
        })
    }
}

/// How far apart results may lie that differ by rounding, as a share of their largest value.
pub(super) fn tolerance(precision: Precision, device: tch::Device) -> f64 {
    match precision {
        Precision::Fp32 if device == tch::Device::Cpu => 1e-4,
        // TensorFloat-32.
        Precision::Fp32 => 1e-2,
        Precision::Bf16Mixed | Precision::Fp16Mixed => 5e-2,
    }
}

/// The first samples.
fn first(tensors: &Tensors, samples: usize) -> Result<Tensors, Error> {
    let narrow = |(name, tensor): (&str, &Tensor)| {
        Ok((name.to_owned(), tensor.f_narrow(0, 0, samples as i64).map_err(torch("part of a batch"))?))
    };
    tensors.iter().map(narrow).collect()
}

/// Whether tensors of the same names and shapes differ by rounding alone.
pub(super) fn are_close(found: &Tensors, expected: &Tensors, tolerance: f64) -> Result<bool, Error> {
    if found.len() != expected.len() {
        return Ok(false);
    }
    let mut pairs = found.iter().zip(expected.iter());
    let are_close = pairs.try_fold(true, |so_far, ((name, found), (expected_name, expected))| {
        if name != expected_name || found.size() != expected.size() || found.kind() != expected.kind() {
            return Ok(false);
        }
        if found.numel() == 0 {
            return Ok(so_far);
        }
        let (found, expected) = (found.f_to_kind(Kind::Double)?, expected.f_to_kind(Kind::Double)?);
        let finite = expected.f_nan_to_num(0.0, 0.0, 0.0)?.f_abs()?.f_max()?;
        let scale = f64::try_from(&finite)?;
        Ok(so_far && found.f_allclose(&expected, tolerance, tolerance * scale, true)?)
    });
    Ok(are_close.map_err(|error: tch::TchError| torch("comparing stages")(error))?)
}
