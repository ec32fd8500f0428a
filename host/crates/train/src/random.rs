//! States of the generators that a run draws random numbers from.

use tch::{Device, Tensor};

use thaw_torch::{TorchError, random};

/// Name of the CPU's generator in a checkpoint's `optimizer.safetensors`.
const CPU: &str = "random_state/cpu";
/// The device's own, on a GPU.
const CUDA: &str = "random_state/cuda";

/// How the names of both begin, and those of the run's other processes: `random_state/rank-1/cpu`.
const ALL: &str = "random_state/";

/// Whether a tensor of a checkpoint is the state of a generator, and none of the optimizer's.
pub(crate) fn is_random_state(name: &str) -> bool {
    name.starts_with(ALL)
}

/// The name that a state of process `rank` has in checkpoints, by the one that the first process has for its
/// own.
fn name_of_rank(name: &str, rank: usize) -> String {
    match rank {
        0 => name.to_owned(),
        rank => format!("{ALL}rank-{rank}/{}", name.strip_prefix(ALL).unwrap_or(name)),
    }
}

/// States of the CPU's generator and, on a GPU, of the device's.
pub(crate) struct RandomStates(Vec<(Device, Tensor)>);

impl RandomStates {
    /// The present states of what a run on `device` draws from.
    ///
    /// # Errors
    /// libtorch refuses.
    pub(crate) fn of(device: Device) -> Result<Self, TorchError> {
        let of_device = device.is_cuda().then_some(device);
        let devices = std::iter::once(Device::Cpu).chain(of_device);
        let states = devices.map(|device| Ok((device, random::get_state(device)?)));
        Ok(Self(states.collect::<Result<_, TorchError>>()?))
    }

    /// Those of a checkpoint's tensors that process `rank` of a run on `device` draws from.
    pub(crate) fn of_checkpoint(tensors: &[(String, Tensor)], device: Device, rank: usize) -> Self {
        let (cpu, cuda) = (name_of_rank(CPU, rank), name_of_rank(CUDA, rank));
        let of_device = |name: &str| match name {
            name if name == cpu => Some(Device::Cpu),
            name if name == cuda && device.is_cuda() => Some(device),
            _ => None,
        };
        let states =
            tensors.iter().filter_map(|(name, tensor)| Some((of_device(name)?, tensor.shallow_clone())));
        Self(states.collect())
    }

    /// Whether there are none: a checkpoint has no states of this process.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the generators are in these states.
    ///
    /// # Errors
    /// libtorch refuses.
    pub(crate) fn are_present(&self) -> Result<bool, TorchError> {
        for (device, state) in &self.0 {
            if !random::get_state(*device)?.f_equal(state)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// By the names that those of process `rank` have in a checkpoint.
    pub(crate) fn into_named(self, rank: usize) -> impl Iterator<Item = (String, Tensor)> {
        self.0.into_iter().map(move |(device, state)| {
            (name_of_rank(if device.is_cuda() { CUDA } else { CPU }, rank), state)
        })
    }

    /// Makes the generators go on from these states.
    ///
    /// # Errors
    /// A state that is none of its generator's.
    pub(crate) fn put_back(&self) -> Result<(), TorchError> {
        self.0.iter().try_for_each(|(device, state)| random::set_state(*device, state))
    }
}
