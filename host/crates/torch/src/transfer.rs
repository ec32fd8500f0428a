//! Batches on their way to the device.

use tch::{Device, Tensor};

use super::{Result, call, ffi};

/// A copy in page-locked memory, from which a GPU reads on its own while the host goes on. Needs CUDA.
pub fn pin_memory(tensor: &Tensor) -> Result<Tensor> {
    let mut pinned = std::ptr::null_mut();
    // SAFETY: `tensor` lives through the call; on success the shim stores a tensor that this function takes
    // over.
    call("pin_memory", |error| unsafe { ffi::thaw_pin_memory(tensor.as_ptr(), &mut pinned, error) })?;
    // SAFETY: as above.
    Ok(unsafe { Tensor::from_ptr(pinned) })
}

/// The batch on `device`. To a GPU it goes through page-locked memory without waiting: libtorch keeps that
/// memory until the copy is through. On the CPU the same tensor comes back.
pub fn to_device(tensor: &Tensor, device: Device) -> Result<Tensor> {
    if tensor.device() == device {
        return Ok(tensor.shallow_clone());
    }
    if tensor.device() == Device::Cpu && device.is_cuda() {
        return Ok(pin_memory(tensor)?.f_to_device_(device, tensor.kind(), true, false)?);
    }
    Ok(tensor.f_to_device(device)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    #[test]
    fn a_batch_already_there_is_not_copied() {
        let x = Tensor::ones([3], (Kind::Float, Device::Cpu));
        assert_eq!(to_device(&x, Device::Cpu).unwrap().data_ptr(), x.data_ptr());
    }
}
