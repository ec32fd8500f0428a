//! `nn.Linear`.

use tch::Tensor;

use super::{Module, Path, init};
use crate::error::Result;

/// `y = x Wᵀ + b`; weight `[out_features, in_features]`, as PyTorch's `nn.Linear`.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// With a bias.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &Path, in_features: i64, out_features: i64) -> Result<Self> {
        Self::with_bias(path, in_features, out_features, true)
    }

    /// With or without a bias.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn with_bias(path: &Path, in_features: i64, out_features: i64, bias: bool) -> Result<Self> {
        let module = path.module("Linear")?;
        let shape = [out_features, in_features];
        let weight = module.parameter("weight", init::kaiming_uniform(&shape)?)?;
        let bias = if bias { Some(module.parameter("bias", init::bias_for(&shape)?)?) } else { None };
        Ok(Self { weight, bias })
    }

    /// The weight, `[out_features, in_features]`.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, `[out_features]`.
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }
}

impl Module for Linear {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_linear(&self.weight, self.bias.as_ref())?)
    }
}
