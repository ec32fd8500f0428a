//! One layer of an encoder.

mod build;

use thaw_plugin_api::nn::{Dropout, LayerNorm, Linear, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use super::attention::Attention;
use super::{Context, HiddenActivation};

/// Attention and a feed-forward part, each added to its input and normalised.
pub struct Layer {
    attention: Attention,
    attention_output: Linear,
    /// DistilBERT has none.
    attention_output_dropout: Option<Dropout>,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: HiddenActivation,
    output: Linear,
    /// ALBERT runs none.
    output_dropout: Option<Dropout>,
    output_norm: LayerNorm,
}

impl Layer {
    /// `[N, L, H]` to `[N, L, H]`, and the attention weights `[N, heads, L, L]` where `weights` asks for
    /// them.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(
        &self,
        hidden: &Tensor,
        context: &Context,
        weights: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let (attended, weights) = self.attention.forward(hidden, context, weights)?;
        let mut attended = self.attention_output.forward(&attended)?;
        if let Some(dropout) = &self.attention_output_dropout {
            attended = dropout.forward(&attended)?;
        }
        let attended = self.attention_norm.forward(&attended.f_add(hidden)?)?;
        let between = self.activation.apply(&self.intermediate.forward(&attended)?)?;
        let mut output = self.output.forward(&between)?;
        if let Some(dropout) = &self.output_dropout {
            output = dropout.forward(&output)?;
        }
        Ok((self.output_norm.forward(&output.f_add(&attended)?)?, weights))
    }
}
