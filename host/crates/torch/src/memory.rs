//! Memory of a GPU.

use tch::Device;

use super::{Result, call, device_index, ffi};

/// Bytes of a GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Taken by tensors of this process, at most so far.
    pub peak: u64,
    /// Taken by tensors of this process now.
    pub now: u64,
    /// Free on the device.
    pub free: u64,
    /// The device's whole memory.
    pub total: u64,
}

/// Memory of a GPU; none of a CPU, whose memory is not libtorch's own.
///
/// # Errors
/// libtorch refuses.
pub fn of(device: Device) -> Result<Option<Memory>> {
    let index = device_index(device)?;
    if index < 0 {
        return Ok(None);
    }
    let (mut peak, mut now, mut free, mut total) = (0, 0, 0, 0);
    // SAFETY: plain places to write to.
    call("reading the memory of a GPU", |error| unsafe {
        ffi::thaw_device_memory(index, &mut peak, &mut now, &mut free, &mut total, error)
    })?;
    let bytes = |count: i64| u64::try_from(count).unwrap_or(0);
    Ok(Some(Memory { peak: bytes(peak), now: bytes(now), free, total }))
}

/// Whether a text of libtorch says that there is no memory left, on a GPU or on the machine.
pub fn is_out_of_memory(message: &str) -> bool {
    ["CUDA out of memory", "out of memory", "can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED"]
        .iter()
        .any(|words| message.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_has_no_memory_of_its_own() {
        assert_eq!(of(Device::Cpu).unwrap(), None);
    }

    #[test]
    fn texts_of_libtorch_about_memory_are_known() {
        for text in [
            "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.19 GiB",
            "[enforce fail at alloc_cpu.cpp:124] . DefaultCPUAllocator: can't allocate memory: you tried to \
             allocate 9 bytes",
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        ] {
            assert!(is_out_of_memory(text), "{text}");
        }
        assert!(!is_out_of_memory("mat1 and mat2 shapes cannot be multiplied"));
    }
}
