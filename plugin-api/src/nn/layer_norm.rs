//! `nn.LayerNorm`.

use tch::Tensor;

use super::{Module, Path, init};
use crate::error::Result;

/// Layer norm over the last dimension, as PyTorch's `nn.LayerNorm`.
pub struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    eps: f64,
}

impl LayerNorm {
    /// Over `size` features; PyTorch's default for `eps` is 1e-5.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &Path, size: i64, eps: f64) -> Result<Self> {
        Self::of_kind(path, "LayerNorm", size, eps)
    }

    /// Under PyTorch's class name `kind`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn of_kind(path: &Path, kind: &str, size: i64, eps: f64) -> Result<Self> {
        let module = path.module(kind)?;
        Ok(Self {
            weight: module.parameter("weight", init::ones(&[size])?)?,
            bias: module.parameter("bias", init::zeros(&[size])?)?,
            eps,
        })
    }
}

impl Module for LayerNorm {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_layer_norm(self.weight.size(), Some(&self.weight), Some(&self.bias), self.eps, true)?)
    }
}
