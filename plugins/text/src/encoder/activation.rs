//! Activations of the feed-forward parts, by the names that a `config.json` uses.

use std::f64::consts::SQRT_2;

use thaw_plugin_api::nn;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{TchError, Tensor};

use crate::config::SizeError;

/// An activation of a feed-forward part: a row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HiddenActivation(usize);

type Function = fn(&Tensor) -> Result<Tensor, TchError>;

/// Name in a `config.json`, class name in transformers, function. Those of `ACT2FN` that have no parameters.
const TABLE: [(&str, &str, Function); 21] = [
    ("gelu", "GELUActivation", |x| x.f_gelu("none")),
    ("gelu_python", "GELUActivation", |x| x.f_gelu("none")),
    ("gelu_new", "NewGELUActivation", |x| x.f_gelu("tanh")),
    ("gelu_pytorch_tanh", "GELUTanh", |x| x.f_gelu("tanh")),
    ("gelu_python_tanh", "GELUTanh", |x| x.f_gelu("tanh")),
    ("gelu_fast", "FastGELUActivation", |x| x.f_gelu("tanh")),
    ("gelu_accurate", "AccurateGELUActivation", |x| x.f_gelu("tanh")),
    ("gelu_10", "ClippedGELUActivation", |x| x.f_gelu("none")?.f_clamp(-10.0, 10.0)),
    ("quick_gelu", "QuickGELUActivation", |x| x.f_mul_scalar(1.702)?.f_sigmoid()?.f_mul(x)),
    ("relu", "ReLU", Tensor::f_relu),
    ("relu2", "ReLUSquaredActivation", |x| x.f_relu()?.f_square()),
    ("relu6", "ReLU6", Tensor::f_relu6),
    ("leaky_relu", "LeakyReLU", Tensor::f_leaky_relu),
    ("silu", "SiLUActivation", Tensor::f_silu),
    ("swish", "SiLU", Tensor::f_silu),
    ("mish", "MishActivation", Tensor::f_mish),
    ("hardswish", "Hardswish", Tensor::f_hardswish),
    ("sigmoid", "Sigmoid", Tensor::f_sigmoid),
    ("tanh", "Tanh", Tensor::f_tanh),
    ("laplace", "LaplaceActivation", laplace),
    ("linear", "LinearActivation", |x| Ok(x.shallow_clone())),
];

/// The normal distribution's share below x, with the mean and deviation that let it look like a squared ReLU.
#[allow(clippy::approx_constant)] // The published mean is 0.707107, not the square root of a half.
fn laplace(x: &Tensor) -> Result<Tensor, TchError> {
    x.f_sub_scalar(0.707_107)?.f_div_scalar(0.282_095 * SQRT_2)?.f_erf()?.f_add_scalar(1.0)?.f_mul_scalar(0.5)
}

impl HiddenActivation {
    /// Exact GELU.
    pub const GELU: Self = Self(0);
    /// GELU by its approximation with tanh, as the first BERT had it.
    pub const GELU_NEW: Self = Self(2);
    /// Hyperbolic tangent.
    pub const TANH: Self = Self(18);

    /// The activation of a name; `key` says where the name stands.
    ///
    /// # Errors
    /// A name that is not known; the known ones are told.
    pub fn named(key: &str, name: &str) -> Result<Self, SizeError> {
        let index = TABLE.iter().position(|(known, ..)| *known == name);
        index.map(Self).ok_or_else(|| {
            let known = TABLE.map(|(known, ..)| known).join(", ");
            SizeError::Sizes(format!("`{key}` is `{name}`, expected one of {known}"))
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        TABLE[self.0].0
    }

    /// Gives it a place in the module tree, under transformers' class name.
    pub(crate) fn register(self, path: &nn::Path) -> Result<()> {
        path.module(TABLE[self.0].1).map(drop)
    }

    /// Applies it.
    ///
    /// # Errors
    /// libtorch refuses the input.
    pub fn apply(self, input: &Tensor) -> Result<Tensor> {
        Ok(TABLE[self.0].2(input)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What transformers 5.23's `ACT2FN` gives for these inputs.
    const INPUTS: [f32; 8] = [-12.0, -3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 12.0];
    const OUTPUTS: [(&str, [f32; 8]); 21] = [
        ("gelu", [0.0, -0.00405, -0.158655, -0.100323, 0.0, 0.345731, 1.9545, 12.0]),
        ("gelu_python", [0.0, -0.00405, -0.158655, -0.100323, 0.0, 0.345731, 1.9545, 12.0]),
        ("gelu_new", [0.0, -0.003637, -0.158808, -0.100325, 0.0, 0.345714, 1.954598, 12.0]),
        ("gelu_pytorch_tanh", [0.0, -0.003637, -0.158808, -0.100325, 0.0, 0.345714, 1.954598, 12.0]),
        ("gelu_python_tanh", [0.0, -0.003637, -0.158808, -0.100325, 0.0, 0.345714, 1.954598, 12.0]),
        ("gelu_fast", [0.0, -0.003637, -0.158808, -0.100325, 0.0, 0.345714, 1.954598, 12.0]),
        ("gelu_accurate", [0.0, -0.003637, -0.158808, -0.100325, 0.0, 0.345714, 1.954598, 12.0]),
        ("gelu_10", [0.0, -0.00405, -0.158655, -0.100323, 0.0, 0.345731, 1.9545, 10.0]),
        ("quick_gelu", [0.0, -0.018071, -0.154204, -0.0988, 0.0, 0.350388, 1.935659, 12.0]),
        ("relu", [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 12.0]),
        ("relu2", [0.0, 0.0, 0.0, 0.0, 0.0, 0.25, 4.0, 144.0]),
        ("relu6", [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 2.0, 6.0]),
        ("leaky_relu", [-0.12, -0.03, -0.01, -0.0025, 0.0, 0.5, 2.0, 12.0]),
        ("silu", [-7.4e-05, -0.142278, -0.268941, -0.109456, 0.0, 0.31123, 1.761594, 11.999926]),
        ("swish", [-7.4e-05, -0.142278, -0.268941, -0.109456, 0.0, 0.31123, 1.761594, 11.999926]),
        ("mish", [-7.4e-05, -0.145647, -0.303401, -0.129927, 0.0, 0.375245, 1.943959, 12.0]),
        ("hardswish", [0.0, 0.0, -0.333333, -0.114583, 0.0, 0.291667, 1.666667, 12.0]),
        ("sigmoid", [6e-06, 0.047426, 0.268941, 0.437824, 0.5, 0.622459, 0.880797, 0.999994]),
        ("tanh", [-1.0, -0.995055, -0.761594, -0.244919, 0.0, 0.462117, 0.964028, 1.0]),
        ("laplace", [0.0, 0.0, 0.0, 0.000346, 0.006094, 0.231421, 0.999998, 1.0]),
        ("linear", [-12.0, -3.0, -1.0, -0.25, 0.0, 0.5, 2.0, 12.0]),
    ];

    #[test]
    fn constants_are_the_rows_of_their_names() {
        let names = [HiddenActivation::GELU, HiddenActivation::GELU_NEW, HiddenActivation::TANH];
        assert_eq!(names.map(HiddenActivation::name), ["gelu", "gelu_new", "tanh"]);
    }

    #[test]
    fn every_activation_is_transformers() {
        for (name, expected) in OUTPUTS {
            let activation = HiddenActivation::named("hidden_act", name).unwrap();
            let outputs =
                Vec::<f32>::try_from(activation.apply(&Tensor::from_slice(&INPUTS)).unwrap()).unwrap();
            for (output, expected) in outputs.iter().zip(expected) {
                assert!((output - expected).abs() < 2e-5, "{name}: {outputs:?}, expected {expected}");
            }
        }
    }
}
