//! What Thaw needs of libtorch and tch does not bind, over a small C++ shim (`cpp`).
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! thaw_torch::init()?;
//! thaw_torch::manual_seed(42)?;
//! let noise = Tensor::f_randn([2], (Kind::Float, Device::Cpu))?;
//! // The generator's state, to be put back: what a resumed run needs.
//! let state = thaw_torch::random::get_state(Device::Cpu)?;
//! let next = Tensor::f_randn([2], (Kind::Float, Device::Cpu))?;
//! thaw_torch::random::set_state(Device::Cpu, &state)?;
//! assert!(next.equal(&Tensor::f_randn([2], (Kind::Float, Device::Cpu))?) && !next.equal(&noise));
//! # Ok(())
//! # }
//! ```
//!
//! Nothing here panics on a libtorch error: every C++ exception becomes a [`TorchError`]. Call [`cuda::open`]
//! (or [`device::select`]) before anything else of libtorch, then [`init`] once.

use std::ffi::{CStr, c_char, c_int};
use std::path::PathBuf;

use tch::{Device, TchError, Tensor};
use torch_sys::C_tensor;

pub mod autocast;
pub mod buffers;
pub mod cuda;
pub mod device;
pub mod distributed;
mod ffi;
pub mod fused;
pub mod gradients;
pub mod lanes;
pub mod layout;
pub mod memory;
pub mod random;
pub mod reading;
mod settings;
pub mod transfer;

pub use autocast::Autocast;
pub use settings::{MatmulPrecision, set_cudnn_benchmark, set_deterministic, set_matmul_precision};

/// The folder of the libtorch that this was built with.
pub const LIBTORCH_DIR: &str = env!("THAW_LIBTORCH_DIR");

/// A tensor for the shim; null for none.
fn pointer(tensor: Option<&Tensor>) -> *const C_tensor {
    tensor.map_or(std::ptr::null(), Tensor::as_ptr)
}

/// What can fail around libtorch.
#[derive(Debug, thiserror::Error)]
pub enum TorchError {
    /// libtorch refused an operation.
    #[error("libtorch failed in {operation}: {message}")]
    Operation {
        /// What was asked of it.
        operation: &'static str,
        /// libtorch's own text, without its C++ backtrace.
        message: String,
    },
    /// Neither the device nor the machine has the memory.
    #[error(
        "out of memory in {operation}: {message}. Use a smaller batch size (with accumulate_grad_batches), \
         a lower precision, or train fewer layers"
    )]
    OutOfMemory {
        /// What was asked of libtorch.
        operation: &'static str,
        /// libtorch's own text.
        message: String,
    },
    /// `libtorch_cuda` is there and cannot be loaded, or is not there.
    #[error("cannot open {path}: {reason}")]
    OpenCuda {
        /// The library looked for.
        path: PathBuf,
        /// Why not, as the loader says it.
        reason: String,
    },
    /// A device that cannot be used.
    #[error("device {wanted:?} cannot be used: {reason}")]
    Device {
        /// What was asked for.
        wanted: String,
        /// Why not and what to use instead.
        reason: String,
    },
    /// tch itself refused something.
    #[error(transparent)]
    Tch(#[from] TchError),
}

/// Result of everything in [`crate`].
pub type Result<T> = std::result::Result<T, TorchError>;

/// Sets libtorch up for this process: error texts without C++ backtraces, which cost milliseconds each.
///
/// Holds for plugins too, since they share the one libtorch. Calling it again does no harm.
pub fn init() -> Result<()> {
    // SAFETY: takes no argument but the place for an error text.
    call("setting error texts", |error| unsafe { ffi::thaw_no_backtraces(error) })
}

/// Seeds the default generators of the CPU and of every CUDA device.
pub fn manual_seed(seed: u64) -> Result<()> {
    // SAFETY: plain values.
    call("manual_seed", |error| unsafe { ffi::thaw_manual_seed(seed, error) })
}

/// First line of a libtorch error text, without the C++ frames that follow it.
pub fn short_message(message: &str) -> &str {
    let end = message.find("\nException raised from").unwrap_or(message.len());
    message[..end].trim_end()
}

/// Runs one call of the shim and turns its status into a result.
fn call(operation: &'static str, body: impl FnOnce(*mut *mut c_char) -> c_int) -> Result<()> {
    let mut error: *mut c_char = std::ptr::null_mut();
    let status = body(&mut error);
    if status == ffi::OK {
        return Ok(());
    }
    let message = take_text(error);
    Err(match status {
        ffi::OUT_OF_MEMORY => TorchError::OutOfMemory { operation, message },
        _ => TorchError::Operation { operation, message },
    })
}

/// A text that the shim allocated. Null gives an empty one.
fn take_text(text: *mut c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: the shim's texts end with a zero and are this function's to free.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        ffi::thaw_free_text(text);
        short_message(&owned).to_owned()
    }
}

/// The shim's number of a device: -1 is the CPU, anything else a CUDA device.
fn device_index(device: Device) -> Result<i64> {
    match device {
        Device::Cpu => Ok(-1),
        Device::Cuda(index) => Ok(index as i64),
        other => Err(TorchError::Device {
            wanted: format!("{other:?}"),
            reason: "only cpu and cuda devices are supported".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Kind, Tensor};

    #[test]
    fn errors_are_one_line_after_init() {
        init().unwrap();
        let a = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
        let Err(TchError::Torch(text)) = a.f_matmul(&a) else { panic!("2x3 by 2x3 must be refused") };
        assert!(text.contains("mat1 and mat2 shapes cannot be multiplied"), "{text}");
        assert!(!text.contains("frame #"), "no C++ frames in {text}");
        assert!(!short_message(&text).contains('\n'), "{text}");
    }

    #[test]
    fn the_shim_names_the_operation_that_failed() {
        let bad = Tensor::zeros([3], (Kind::Uint8, Device::Cpu));
        let error = random::set_state(Device::Cpu, &bad).unwrap_err();
        assert!(matches!(error, TorchError::Operation { operation: "set_rng_state", .. }), "{error}");
    }
}
