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
        let shape = [out_features, in_features];
        let bias = if bias { Some(init::bias_for(&shape)?) } else { None };
        Self::with_values(path, init::kaiming_uniform(&shape)?, bias)
    }

    /// With these initial values: weight `[out_features, in_features]`, bias `[out_features]`.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn with_values(path: &Path, weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        Self::of_kind(path, "Linear", weight, bias)
    }

    /// Under PyTorch's class name `kind`, with these initial values.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn of_kind(path: &Path, kind: &str, weight: Tensor, bias: Option<Tensor>) -> Result<Self> {
        let module = path.module(kind)?;
        let weight = module.parameter("weight", weight)?;
        let bias = bias.map(|bias| module.parameter("bias", bias)).transpose()?;
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
