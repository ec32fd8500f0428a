//! Batches on their way to the run's device.

use tch::{Device, Tensor};
use thaw_plugin_api::model::Batch;
use thaw_torch::lanes::{Conveyor, GpuLanes};
use thaw_torch::{TorchError, transfer};

use super::Fit;
use crate::Error;

/// How the batches of a run get to its device.
pub(super) enum Transfers {
    /// One after the other; on the CPU they are there already.
    Direct(Device),
    /// Beside what a GPU computes with those before.
    Beside(Conveyor<GpuLanes>),
}

impl Transfers {
    /// To a GPU, no more than so many MiB of them are there at a time, but for one that comes while it
    /// computes with another.
    fn to(device: Device, prefetch_mib: usize) -> Result<Self, TorchError> {
        if !device.is_cuda() {
            return Ok(Self::Direct(device));
        }
        let limit = (prefetch_mib as u64).saturating_mul(1 << 20);
        Ok(Self::Beside(Conveyor::new(GpuLanes::new(device)?, limit)))
    }

    fn bring(&mut self, batch: thaw_data::Batch) -> Result<(Batch, usize), Error> {
        match self {
            Self::Direct(device) => to_device(batch, *device),
            Self::Beside(conveyor) => arrive(batch, |tensors| conveyor.bring(tensors)),
        }
    }

    /// How often the host has waited for room on the device.
    pub(super) fn waits(&self) -> u64 {
        match self {
            Self::Direct(_) => 0,
            Self::Beside(conveyor) => conveyor.waits(),
        }
    }
}

impl Fit {
    /// A batch on the run's device, with its number of samples.
    pub(super) fn bring(&mut self, batch: thaw_data::Batch) -> Result<(Batch, usize), Error> {
        if self.now.transfers.is_none() {
            let prefetch = self.state.config.data.as_ref().map_or(0, |data| data.loading.prefetch_mib);
            let device = self.state.trained.model.device();
            self.now.transfers = Some(Transfers::to(device, prefetch)?);
        }
        match &mut self.now.transfers {
            Some(transfers) => transfers.bring(batch),
            None => to_device(batch, self.state.trained.model.device()),
        }
    }
}

/// A data batch on a device, as the model takes it.
///
/// # Errors
/// The device's memory is too small.
pub fn to_device(batch: thaw_data::Batch, device: Device) -> Result<(Batch, usize), Error> {
    arrive(batch, |tensors| tensors.iter().map(|tensor| transfer::to_device(tensor, device)).collect())
}

/// Moves a batch's tensors, all at once, and finishes there what travels as bytes.
fn arrive(
    mut batch: thaw_data::Batch,
    bring: impl FnOnce(&[&Tensor]) -> Result<Vec<Tensor>, TorchError>,
) -> Result<(Batch, usize), Error> {
    let samples = batch.len();
    let tensors: Vec<&Tensor> = batch.inputs.iter().map(|(_, tensor)| tensor).chain(&batch.targets).collect();
    let mut brought = bring(&tensors)?.into_iter();
    for ((_, tensor), there) in batch.inputs.iter_mut().zip(&mut brought) {
        *tensor = there;
    }
    batch.targets = brought.next();
    batch.finish()?;
    Ok((Batch { inputs: batch.inputs.into_iter().collect(), target: batch.targets }, samples))
}
