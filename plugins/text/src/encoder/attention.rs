//! Self-attention with a projection each for query, key and value.

use thaw_plugin_api::nn::{self, Dropout, Linear, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use super::disentangled::DisentangledAttention;
use super::{Context, EncoderConfig, EncoderKind, linear};

/// What the tokens make of each other.
pub(super) enum Attention {
    /// Query by key.
    Plain(SelfAttention),
    /// DeBERTa's.
    Disentangled(DisentangledAttention),
}

impl Attention {
    /// `[N, L, H]` to `[N, L, H]`; the weights `[N, heads, L, L]` only where they are asked for.
    pub(super) fn forward(
        &self,
        hidden: &Tensor,
        context: &Context,
        weights: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        match self {
            Self::Plain(attention) => attention.forward(hidden, context, weights),
            Self::Disentangled(attention) => {
                let (attended, made) = attention.forward(hidden, context)?;
                Ok((attended, weights.then_some(made)))
            }
        }
    }
}

/// Query, key and value of every token, and what the tokens make of each other's.
pub(super) struct SelfAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    dropout: Dropout,
    heads: i64,
}

impl SelfAttention {
    /// The projections under `path`. The module itself is registered by the caller; the dropout's place is
    /// apart, since some families have it behind the output projection.
    pub(super) fn projections(path: &nn::Path, config: &EncoderConfig) -> Result<[Linear; 3]> {
        let names = match config.kind {
            EncoderKind::DistilBert => ["q_lin", "k_lin", "v_lin"],
            EncoderKind::Mpnet => ["q", "k", "v"],
            EncoderKind::DebertaV2 => ["query_proj", "key_proj", "value_proj"],
            _ => ["query", "key", "value"],
        };
        let project =
            |name| linear(&(path / name), config.hidden_size, config.hidden_size, config.initializer_range);
        Ok([project(names[0])?, project(names[1])?, project(names[2])?])
    }

    pub(super) fn new([query, key, value]: [Linear; 3], dropout: Dropout, heads: i64) -> Self {
        Self { query, key, value, dropout, heads }
    }

    fn forward(&self, hidden: &Tensor, context: &Context, weights: bool) -> Result<(Tensor, Option<Tensor>)> {
        let (batch, length, features) = hidden.size3()?;
        let split = |layer: &Linear| -> Result<Tensor> {
            Ok(layer
                .forward(hidden)?
                .f_view([batch, length, self.heads, features / self.heads])?
                .f_transpose(1, 2)?)
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let mask = context.key_mask()?;
        let (attended, weights) = if weights || context.bias.is_some() {
            let scale = 1.0 / ((features / self.heads) as f64).sqrt();
            let mut scores = query.f_matmul(&key.f_transpose(2, 3)?)?.f_mul_scalar(scale)?;
            if let Some(bias) = &context.bias {
                scores = scores.f_add(bias)?;
            }
            if let Some(mask) = &mask {
                scores = scores.f_masked_fill(&mask.f_logical_not()?, f64::NEG_INFINITY)?;
            }
            let made = scores.f_softmax(-1, None)?;
            (self.dropout.forward(&made)?.f_matmul(&value)?, weights.then_some(made))
        } else {
            let dropout = self.dropout.active_probability();
            (
                Tensor::f_scaled_dot_product_attention(
                    &query, &key, &value, mask, dropout, false, None, false,
                )?,
                None,
            )
        };
        Ok((attended.f_transpose(1, 2)?.f_reshape([batch, length, features])?, weights))
    }
}
