//! Initial values, by the names and formulas of `torch.nn.init`.

use std::f64::consts::SQRT_2;

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};

const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);

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

/// Normal with mean 0, drawn anew where it would lie outside of `low..=high` (`trunc_normal_`, where they are
/// -2 and 2 by default, whatever `std`).
///
/// # Errors
/// A shape that libtorch refuses, or a `std` that is not positive.
pub fn truncated_normal(shape: &[i64], std: f64, low: f64, high: f64) -> Result<Tensor> {
    if std <= 0.0 || low >= high {
        return Err(Error::new(format_args!(
            "a normal distribution of std {std} within {low}..={high} cannot be drawn from"
        )));
    }
    // Through the inverse of the distribution function. In f64: in f32 the lowest of 2^24 draws would be
    // infinite.
    let bound = |at: f64| Ok::<_, Error>(Tensor::from(at / (std * SQRT_2)).f_erf()?.f_double_value(&[])?);
    let uniform =
        Tensor::f_empty(shape, (Kind::Double, Device::Cpu))?.f_uniform_(bound(low)?, bound(high)?)?;
    let drawn = uniform.f_erfinv()?.f_mul_scalar(std * SQRT_2)?.f_clamp(low, high)?;
    Ok(drawn.f_to_kind(Kind::Float)?)
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

/// `xavier_uniform_`: attention and transformers.
///
/// # Errors
/// A shape without input features.
pub fn xavier_uniform(shape: &[i64]) -> Result<Tensor> {
    let bound = (6.0 / (fan_in(shape)? + fan_out(shape)?)).sqrt();
    uniform(shape, -bound, bound)
}

/// `kaiming_normal_(mode = "fan_out", nonlinearity = "relu")`: torchvision's convolutions.
///
/// # Errors
/// A shape without output features.
pub fn kaiming_normal_fan_out(shape: &[i64]) -> Result<Tensor> {
    normal(shape, (2.0 / fan_out(shape)?).sqrt())
}

/// Uniform in plus and minus `1 / sqrt(fan_in)` of the weight it belongs to: the bias of linear and
/// convolution layers.
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

fn fan_out(shape: &[i64]) -> Result<f64> {
    let fan_out: i64 = shape.iter().take(1).chain(shape.iter().skip(2)).product();
    if shape.len() < 2 || fan_out <= 0 {
        return Err(Error::new(format_args!("a weight of shape {shape:?} has no output features")));
    }
    Ok(fan_out as f64)
}

#[cfg(test)]
mod tests;
