//! `nn.Dropout` and torchvision's `StochasticDepth`.

use tch::{Kind, Tensor};

use super::{Mode, Module, ModuleBuilder, Path};
use crate::error::{Error, Result};

pub(super) fn check(probability: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&probability) {
        return Ok(probability);
    }
    Err(Error::new(format_args!("a dropout probability is {probability}, expected a number in 0..=1")))
}

/// Zeroes elements at random while training, as PyTorch's `nn.Dropout`.
pub struct Dropout {
    probability: f64,
    mode: Mode,
}

impl Dropout {
    /// Zeroes each element with this probability.
    ///
    /// # Errors
    /// A probability outside of 0..=1.
    pub fn new(path: &Path, probability: f64) -> Result<Self> {
        Ok(Self { probability: check(probability)?, mode: path.module("Dropout")?.mode() })
    }

    /// The probability in the present mode, for functions with a dropout of their own: 0 in evaluation.
    pub fn active_probability(&self) -> f64 {
        if self.mode.is_training() { self.probability } else { 0.0 }
    }
}

impl Module for Dropout {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        match self.active_probability() {
            0.0 => Ok(input.shallow_clone()),
            probability => Ok(input.f_dropout(probability, true)?),
        }
    }
}

/// Drops whole samples of a residual branch while training (Huang et al., "Deep Networks with Stochastic
/// Depth").
pub struct StochasticDepth {
    probability: f64,
    mode: Mode,
}

impl StochasticDepth {
    /// Drops each sample's branch with this probability.
    ///
    /// # Errors
    /// A probability outside of 0..=1.
    pub fn new(path: &Path, probability: f64) -> Result<Self> {
        Self::within(&path.module("StochasticDepth")?, probability)
    }

    /// As part of another module, whose mode it follows: no module of its own.
    ///
    /// # Errors
    /// A probability outside of 0..=1.
    pub fn within(module: &ModuleBuilder, probability: f64) -> Result<Self> {
        Ok(Self { probability: check(probability)?, mode: module.mode() })
    }
}

impl Module for StochasticDepth {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        if !self.mode.is_training() || self.probability == 0.0 {
            return Ok(input.shallow_clone());
        }
        let survival = 1.0 - self.probability;
        let mut shape = vec![1; input.dim()];
        if let Some(first) = shape.first_mut() {
            *first = input.size()[0];
        }
        let kept =
            Tensor::f_empty(shape.as_slice(), (Kind::Float, input.device()))?.f_bernoulli_float_(survival)?;
        let scale = if survival > 0.0 { kept.f_div_scalar(survival)? } else { kept };
        Ok(input.f_mul(&scale.f_to_kind(input.kind())?)?)
    }
}
