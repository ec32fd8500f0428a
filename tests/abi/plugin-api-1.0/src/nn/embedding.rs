//! `nn.Embedding`.

use tch::{Tensor, no_grad};

use super::{Module, Path, init};
use crate::error::Result;

/// Rows of a table by index (i64), as PyTorch's `nn.Embedding`.
pub struct Embedding {
    weight: Tensor,
    padding_index: Option<i64>,
}

impl Embedding {
    /// A table `[num_embeddings, dim]`. The row of `padding_index` starts at zero and gets no gradient.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &Path, num_embeddings: i64, dim: i64, padding_index: Option<i64>) -> Result<Self> {
        let module = path.module("Embedding")?;
        let weight = init::normal(&[num_embeddings, dim], 1.0)?;
        if let Some(index) = padding_index {
            let _ = no_grad(|| weight.f_select(0, index)?.f_zero_())?;
        }
        Ok(Self { weight: module.parameter("weight", weight)?, padding_index })
    }

    /// The table, to tie an output layer to it.
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }
}

impl Module for Embedding {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(Tensor::f_embedding(&self.weight, input, self.padding_index.unwrap_or(-1), false, false)?)
    }
}
