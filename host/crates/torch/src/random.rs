//! State of libtorch's default random generators, for checkpoints.

use tch::{Device, Tensor};

use super::{Result, call, device_index, ffi};

/// State of the default generator of `device`, a `u8` vector on the CPU (5056 bytes for the CPU's generator).
///
/// A CUDA device needs [`super::cuda::open`] first.
pub fn get_state(device: Device) -> Result<Tensor> {
    let index = device_index(device)?;
    let mut state = std::ptr::null_mut();
    // SAFETY: on success the shim stores a tensor of its own there, which this function takes over.
    call("get_rng_state", |error| unsafe { ffi::thaw_random_state(index, &mut state, error) })?;
    // SAFETY: as above; null is only left there on an error.
    Ok(unsafe { Tensor::from_ptr(state) })
}

/// Restores what [`get_state`] gave.
pub fn set_state(device: Device, state: &Tensor) -> Result<()> {
    let index = device_index(device)?;
    // SAFETY: `state` lives through the call, which only reads it.
    call("set_rng_state", |error| unsafe { ffi::thaw_set_random_state(index, state.as_ptr(), error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn a_restored_state_draws_the_same_numbers() {
        let state = get_state(Device::Cpu).unwrap();
        assert_eq!((state.kind(), state.size()), (Kind::Uint8, vec![5056]));
        // Other tests of this process may draw between: compare what a private restore gives, several times.
        let draw = || {
            set_state(Device::Cpu, &state).unwrap();
            Tensor::randn([7], (Kind::Float, Device::Cpu))
        };
        let first = draw();
        let again = (0..20).any(|_| draw() == first);
        assert!(again, "the same state never gave the same numbers");
    }
}
