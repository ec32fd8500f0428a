//! Initial values, by the names and formulas of `torch.nn.init`.

use tch::{Kind, Tensor};

use crate::error::{Error, Result};

const FLOAT: (Kind, tch::Device) = (Kind::Float, tch::Device::Cpu);

/// Uniform in `low..high`.
///
/// # Errors
/// A shape that libtorch refuses.
pub fn uniform(shape: &[i64], low: f64, high: f64) -> Result<Tensor> {
    Ok(Tensor::f_empty(shape, FLOAT)?.f_uniform_(low, high)?)
}

/// Normal with mean 0.
///
/// # Errors
/// A shape that libtorch refuses.
pub fn normal(shape: &[i64], std: f64) -> Result<Tensor> {
    Ok(Tensor::f_empty(shape, FLOAT)?.f_normal_(0.0, std)?)
}

/// Normal with mean 0, cut at two standard deviations (`trunc_normal_` with `a = -2 std`, `b = 2 std`), by drawing the
/// rest anew through the inverse of the normal's distribution function.
///
/// # Errors
/// A shape that libtorch refuses.
pub fn truncated_normal(shape: &[i64], std: f64) -> Result<Tensor> {
    // The error function at two standard deviations: erf(2 / sqrt 2).
    const LIMIT: f64 = 0.954_499_736_103_641_6;
    let uniform = uniform(shape, -LIMIT, LIMIT)?;
    Ok(uniform.f_erfinv()?.f_mul_scalar(std * std::f64::consts::SQRT_2)?.f_clamp(-2.0 * std, 2.0 * std)?)
}

/// All zeros.
///
/// # Errors
/// A shape that libtorch refuses.
pub fn zeros(shape: &[i64]) -> Result<Tensor> {
    Ok(Tensor::f_zeros(shape, FLOAT)?)
}

/// All ones.
///
/// # Errors
/// A shape that libtorch refuses.
pub fn ones(shape: &[i64]) -> Result<Tensor> {
    Ok(Tensor::f_ones(shape, FLOAT)?)
}

/// One value everywhere.
///
/// # Errors
/// A shape that libtorch refuses.
pub fn constant(shape: &[i64], value: f64) -> Result<Tensor> {
    Ok(Tensor::f_full(shape, value, FLOAT)?)
}

/// `kaiming_uniform_(a = sqrt 5)`: what PyTorch's linear and convolution layers start with.
///
/// # Errors
/// A shape without input features.
pub fn kaiming_uniform(shape: &[i64]) -> Result<Tensor> {
    let bound = 1.0 / fan_in(shape)?.sqrt();
    uniform(shape, -bound, bound)
}

/// `kaiming_normal_(mode = "fan_out", nonlinearity = "relu")`: torchvision's convolutions.
///
/// # Errors
/// A shape of fewer than two dimensions.
pub fn kaiming_normal_fan_out(shape: &[i64]) -> Result<Tensor> {
    let receptive: i64 = shape.iter().skip(2).product();
    let fan_out = shape.first().copied().unwrap_or_default() * receptive;
    if shape.len() < 2 || fan_out == 0 {
        return Err(Error::new(format_args!("a weight of shape {shape:?} has no output features")));
    }
    normal(shape, (2.0 / fan_out as f64).sqrt())
}

/// Uniform in plus and minus `1 / sqrt(fan_in)` of the weight it belongs to: the bias of linear and convolution layers.
///
/// # Errors
/// A weight without input features.
pub fn bias_for(weight_shape: &[i64]) -> Result<Tensor> {
    let bound = 1.0 / fan_in(weight_shape)?.sqrt();
    uniform(&weight_shape[..1], -bound, bound)
}

fn fan_in(shape: &[i64]) -> Result<f64> {
    let fan_in: i64 = shape.iter().skip(1).product();
    if shape.len() < 2 || fan_in <= 0 || shape[0] < 0 {
        return Err(Error::new(format_args!("a weight of shape {shape:?} has no input features")));
    }
    Ok(fan_in as f64)
}
