//! No memory left, wherever it shows: in the forward pass, the backward pass or the step.

use super::{FitError, RunState};
use crate::Error;
use thaw_torch::memory;

impl RunState {
    /// Says of an error that is about memory what there was of it, for how large a batch, and what to do.
    pub(super) fn explain_memory(&self, error: Error, samples: usize) -> Error {
        let message = error.to_string();
        if !memory::is_out_of_memory(&message) {
            return error;
        }
        let device = match self.trained.model.device() {
            tch::Device::Cuda(index) => format!("cuda:{index}"),
            _ => "the CPU".to_owned(),
        };
        let used = memory::of(self.trained.model.device()).ok().flatten();
        FitError::OutOfMemory { samples, device, used, message }.into()
    }
}
