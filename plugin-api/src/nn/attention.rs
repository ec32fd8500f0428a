//! `nn.MultiheadAttention`.

use tch::Tensor;

use super::{Linear, Module, Path, init};
use crate::error::{Error, Result};

/// Self-attention over `[N, L, E]` with one projection for query, key and value, as PyTorch's
/// `nn.MultiheadAttention` with `batch_first=True`: parameters `in_proj_weight`, `in_proj_bias`,
/// `out_proj.weight`, `out_proj.bias`.
pub struct MultiheadAttention {
    in_proj_weight: Tensor,
    in_proj_bias: Tensor,
    out_proj: Linear,
    heads: i64,
    dropout: f64,
    mode: super::Mode,
}

impl MultiheadAttention {
    /// Attention of `heads` heads over `embed_dim` features.
    ///
    /// # Errors
    /// `embed_dim` is no multiple of `heads`, one of them is below 1, or `dropout` lies outside of 0..=1.
    pub fn new(path: &Path, embed_dim: i64, heads: i64, dropout: f64) -> Result<Self> {
        if heads < 1 || embed_dim < 1 || embed_dim % heads != 0 {
            return Err(Error::new(format_args!("{embed_dim} features cannot be split among {heads} heads")));
        }
        let module = path.module("MultiheadAttention")?;
        // Xavier over the three projections at once, as PyTorch has it.
        let in_proj_weight =
            module.parameter("in_proj_weight", init::xavier_uniform(&[3 * embed_dim, embed_dim])?)?;
        let in_proj_bias = module.parameter("in_proj_bias", init::zeros(&[3 * embed_dim])?)?;
        let (weight, bias) = (init::kaiming_uniform(&[embed_dim, embed_dim])?, init::zeros(&[embed_dim])?);
        let out_proj =
            Linear::of_kind(&(path / "out_proj"), "NonDynamicallyQuantizableLinear", weight, Some(bias))?;
        let dropout = super::dropout::check(dropout)?;
        Ok(Self { in_proj_weight, in_proj_bias, out_proj, heads, dropout, mode: module.mode() })
    }
}

impl Module for MultiheadAttention {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (batch, length, features) = input.size3()?;
        let projected = input.f_linear(&self.in_proj_weight, Some(&self.in_proj_bias))?;
        let heads = projected
            .f_view([batch, length, 3, self.heads, features / self.heads])?
            .f_permute([2, 0, 3, 1, 4])?;
        let (query, key, value) = (heads.f_select(0, 0)?, heads.f_select(0, 1)?, heads.f_select(0, 2)?);
        let dropout = if self.mode.is_training() { self.dropout } else { 0.0 };
        let attended = Tensor::f_scaled_dot_product_attention(
            &query,
            &key,
            &value,
            None::<Tensor>,
            dropout,
            false,
            None,
            false,
        )?;
        let joined = attended.f_transpose(1, 2)?.f_reshape([batch, length, features])?;
        self.out_proj.forward(&joined)
    }
}
