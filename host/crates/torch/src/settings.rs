//! How libtorch computes, for the whole process: precision of products, choice of algorithms.

use std::ffi::CStr;

use thaw_plugin_api::config::Config;

use super::{Result, call, ffi};

/// How exactly float32 matrix products and convolutions are computed on a GPU, by the names of
/// `torch.set_float32_matmul_precision`. On a CPU all are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum MatmulPrecision {
    /// In float32 throughout.
    Highest,
    /// In TensorFloat-32: inputs are rounded to 10 bits of mantissa, sums are float32.
    High,
    /// Products in bfloat16 where that is faster, convolutions in TensorFloat-32.
    Medium,
}

impl MatmulPrecision {
    fn name(self) -> &'static CStr {
        match self {
            Self::Highest => c"highest",
            Self::High => c"high",
            Self::Medium => c"medium",
        }
    }
}

/// Sets the precision of float32 products and of convolutions. Without this call PyTorch's defaults hold:
/// products in float32, convolutions in TensorFloat-32.
///
/// # Errors
/// libtorch refuses.
pub fn set_matmul_precision(precision: MatmulPrecision) -> Result<()> {
    // SAFETY: the name lives as long as the program.
    call("set_float32_matmul_precision", |error| unsafe {
        ffi::thaw_set_matmul_precision(precision.name().as_ptr(), error)
    })
}

/// Whether cuDNN tries its algorithms on every new shape and takes the fastest.
///
/// # Errors
/// libtorch refuses.
pub fn set_cudnn_benchmark(on: bool) -> Result<()> {
    // SAFETY: plain values.
    call("setting cudnn.benchmark", |error| unsafe { ffi::thaw_set_cudnn_benchmark(on, error) })
}

/// Makes libtorch choose deterministic algorithms; an operation that has none fails from then on. Sets
/// `CUBLAS_WORKSPACE_CONFIG=:4096:8` where the environment does not have the variable. To be called before
/// other threads run and before the first product on a GPU.
///
/// # Errors
/// libtorch refuses.
pub fn set_deterministic(on: bool) -> Result<()> {
    // SAFETY: plain values.
    call("use_deterministic_algorithms", |error| unsafe { ffi::thaw_set_deterministic(on, error) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    /// `put_` has no deterministic algorithm on any device, so that a CPU shows what a GPU's kernels do.
    #[test]
    fn an_operation_without_a_deterministic_algorithm_fails_and_cublas_is_told_before_its_first_use() {
        let put = || {
            let mut tensor = Tensor::zeros([4], (Kind::Float, Device::Cpu));
            tensor.f_put_(&Tensor::from_slice(&[1_i64]), &Tensor::from_slice(&[2_f32]), false).map(drop)
        };
        put().unwrap();
        set_deterministic(true).unwrap();
        let refused = put();
        set_deterministic(false).unwrap();
        let error = refused.unwrap_err().to_string();
        assert!(error.contains("put_ does not have a deterministic implementation"), "{error}");
        assert!(std::env::var("CUBLAS_WORKSPACE_CONFIG").is_ok_and(|value| value.starts_with(':')));
        put().unwrap();
    }
}
