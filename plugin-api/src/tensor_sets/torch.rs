//! Sets over libtorch's tensors.

use tch::{Kind, Tensor, no_grad};

use super::TensorValues;
use crate::error::{Error, Result};

/// The tensors of a model, by a function from their names.
pub struct TorchValues<F>(pub F);

impl<F: FnMut(&str) -> Result<Tensor>> TensorValues for TorchValues<F> {
    type Tensor = Tensor;

    fn of_model(&mut self, name: &str) -> Result<Tensor> {
        (self.0)(name)
    }

    fn shared(&self, tensor: &Tensor) -> Tensor {
        tensor.shallow_clone()
    }

    fn copied(&self, tensor: &Tensor) -> Result<Tensor> {
        Ok(no_grad(|| tensor.f_detach_copy())?)
    }

    fn copy(&self, to: &Tensor, from: &Tensor) -> Result<()> {
        check_shapes(to, from)?;
        Ok(no_grad(|| to.shallow_clone().f_copy_(from).map(drop))?)
    }

    /// `average += weight * (towards - average)`, so that equal values stay as they are. Whole numbers (the
    /// count of batches that a batch norm has seen) are averaged in float32 and cut off, as in PyTorch.
    fn lerp(&self, average: &Tensor, towards: &Tensor, weight: f64) -> Result<()> {
        check_shapes(average, towards)?;
        let is_float = average.is_floating_point();
        Ok(no_grad(|| {
            let mut own = average.shallow_clone();
            if is_float {
                return own.f_lerp_(towards, weight).map(drop);
            }
            let part = towards.f_to_kind(Kind::Float)?.f_mul_scalar(weight)?;
            let mean = average.f_to_kind(Kind::Float)?.f_mul_scalar(1.0 - weight)?.f_add(&part)?;
            own.f_copy_(&mean).map(drop)
        })?)
    }

    fn squared_distance(&self, one: &Tensor, other: &Tensor) -> Result<f64> {
        check_shapes(one, other)?;
        Ok(no_grad(|| {
            let difference = one.f_to_kind(Kind::Double)?.f_sub(&other.f_to_kind(Kind::Double)?)?;
            difference.f_square()?.f_sum(Kind::Double)?.f_double_value(&[])
        })?)
    }
}

/// Copying would repeat a smaller tensor over a larger one.
fn check_shapes(one: &Tensor, other: &Tensor) -> Result<()> {
    let (one, other) = (one.size(), other.size());
    if one == other {
        return Ok(());
    }
    Err(Error::new(format_args!("expected a tensor of shape {one:?}, found {other:?}")))
}
