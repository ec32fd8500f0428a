//! A run's whole state in memory, to be put back exactly.

use tch::{Device, Tensor};
use thaw_plugin_api::context::Progress;

use super::error::torch;
use super::scaler::SavedScaler;
use super::set_aside::SetAside;
use super::{FitError, Meter, RunState};
use crate::Error;
use thaw_optim::scheduler::Scheduler;
use thaw_torch::gradients::{TensorList, zero_grad};
use thaw_torch::random;

/// What training changes of a run: values of tensors, and what hooks can change. Gradients are not held: the
/// next accumulation window drops them anyway.
pub(super) struct Held {
    aside: SetAside,
    values: Vec<Tensor>,
    optimizer: Vec<(String, Tensor)>,
    scheduler: Option<Scheduler>,
    random: Vec<(Device, Tensor)>,
    progress: Progress,
    loss: Option<f64>,
    meter: Meter,
    scaler: Option<SavedScaler>,
    audit_gradients: bool,
    window_samples: usize,
}

impl RunState {
    /// Copies everything.
    ///
    /// # Errors
    /// The memory is too small.
    pub(super) fn hold(&mut self) -> Result<Held, Error> {
        self.read_all()?;
        let copy = |tensor: &Tensor| tensor.f_detach_copy().map_err(torch("copying the state of the run"));
        let optimizer = self.optimizer.iter().flat_map(|optimizer| optimizer.state_dict());
        let devices = [Device::Cpu, self.model.device()];
        let devices = &devices[..if self.model.device().is_cuda() { 2 } else { 1 }];
        Ok(Held {
            aside: self.set_aside(),
            values: self
                .model
                .state_dict()
                .iter()
                .map(|(_, tensor)| copy(tensor))
                .collect::<Result<_, _>>()?,
            optimizer: optimizer
                .map(|(name, tensor)| Ok((name, copy(&tensor)?)))
                .collect::<Result<_, FitError>>()?,
            scheduler: self.scheduler.clone(),
            random: devices
                .iter()
                .map(|&device| Ok((device, random::get_state(device)?)))
                .collect::<Result<_, Error>>()?,
            progress: self.progress,
            loss: self.loss,
            meter: self.meter.clone(),
            scaler: self.scaler.as_ref().map(super::LossScaler::saved).transpose()?,
            audit_gradients: self.audit_gradients,
            window_samples: self.window_samples,
        })
    }

    /// Puts everything back.
    ///
    /// # Errors
    /// libtorch refuses: the run cannot go on.
    pub(super) fn put_back_all(&mut self, held: &Held) -> Result<(), Error> {
        self.put_back(&held.aside)?;
        tch::no_grad(|| {
            let mut pairs = self.model.state_dict().iter().zip(&held.values);
            pairs.try_for_each(|((_, tensor), value)| tensor.shallow_clone().f_copy_(value).map(drop))
        })
        .map_err(torch("putting the state of the run back"))?;
        zero_grad(&TensorList::from_iter(self.parameters.iter().map(|(_, tensor)| tensor)))?;
        if let Some(optimizer) = &mut self.optimizer {
            let state = held.optimizer.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
            optimizer.load_state_dict(state).map_err(FitError::from)?;
        }
        self.scheduler.clone_from(&held.scheduler);
        for (device, state) in &held.random {
            random::set_state(*device, state)?;
        }
        (self.progress, self.loss, self.meter) = (held.progress, held.loss, held.meter.clone());
        self.readings.clear();
        self.not_finite = None;
        if let (Some(scaler), Some(saved)) = (&mut self.scaler, &held.scaler) {
            scaler.restore(saved)?;
        }
        (self.audit_gradients, self.window_samples) = (held.audit_gradients, held.window_samples);
        Ok(())
    }
}
