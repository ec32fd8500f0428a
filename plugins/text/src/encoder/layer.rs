//! One layer of an encoder.

use thaw_plugin_api::nn::{self, Dropout, LayerNorm, Linear, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use super::attention::SelfAttention;
use super::{EncoderConfig, EncoderKind, HiddenActivation, linear};

/// Attention and a feed-forward part, each added to its input and normalised.
pub struct Layer {
    attention: SelfAttention,
    attention_output: Linear,
    /// DistilBERT has none.
    attention_output_dropout: Option<Dropout>,
    attention_norm: LayerNorm,
    intermediate: Linear,
    activation: HiddenActivation,
    output: Linear,
    output_dropout: Dropout,
    output_norm: LayerNorm,
}

impl Layer {
    /// A layer with transformers' initial values.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        match config.kind {
            EncoderKind::Bert | EncoderKind::Roberta => Self::bert(path, config),
            EncoderKind::DistilBert => Self::distil_bert(path, config),
        }
    }

    fn bert(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let EncoderConfig {
            kind,
            hidden_size,
            intermediate_size,
            layer_norm_eps,
            hidden_dropout,
            initializer_range,
            ..
        } = *config;
        path.module(&kind.class("Layer"))?;
        let attention_path = path / "attention";
        attention_path.module(&kind.class("Attention"))?;
        let own = &attention_path / "self";
        own.module(&kind.class("SelfAttention"))?;
        let projections = SelfAttention::projections(&own, config)?;
        let dropout = Dropout::new(&(&own / "dropout"), config.attention_dropout)?;
        let after = &attention_path / "output";
        after.module(&kind.class("SelfOutput"))?;
        let attention_output = linear(&(&after / "dense"), hidden_size, hidden_size, initializer_range)?;
        let attention_norm = LayerNorm::new(&(&after / "LayerNorm"), hidden_size, layer_norm_eps)?;
        let attention_output_dropout = Some(Dropout::new(&(&after / "dropout"), hidden_dropout)?);
        let between = path / "intermediate";
        between.module(&kind.class("Intermediate"))?;
        let intermediate = linear(&(&between / "dense"), hidden_size, intermediate_size, initializer_range)?;
        config.activation.register(&(&between / "intermediate_act_fn"))?;
        let last = path / "output";
        last.module(&kind.class("Output"))?;
        Ok(Self {
            attention: SelfAttention::new(projections, dropout, config.heads),
            attention_output,
            attention_output_dropout,
            attention_norm,
            intermediate,
            activation: config.activation,
            output: linear(&(&last / "dense"), intermediate_size, hidden_size, initializer_range)?,
            output_norm: LayerNorm::new(&(&last / "LayerNorm"), hidden_size, layer_norm_eps)?,
            output_dropout: Dropout::new(&(&last / "dropout"), hidden_dropout)?,
        })
    }

    fn distil_bert(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let EncoderConfig {
            hidden_size,
            intermediate_size,
            layer_norm_eps,
            hidden_dropout,
            initializer_range,
            ..
        } = *config;
        path.module("TransformerBlock")?;
        let attention_path = path / "attention";
        attention_path.module("DistilBertSelfAttention")?;
        let projections = SelfAttention::projections(&attention_path, config)?;
        let attention_output =
            linear(&(&attention_path / "out_lin"), hidden_size, hidden_size, initializer_range)?;
        let dropout = Dropout::new(&(&attention_path / "dropout"), config.attention_dropout)?;
        let attention_norm = LayerNorm::new(&(path / "sa_layer_norm"), hidden_size, layer_norm_eps)?;
        let ffn = path / "ffn";
        ffn.module("FFN")?;
        let output_dropout = Dropout::new(&(&ffn / "dropout"), hidden_dropout)?;
        let intermediate = linear(&(&ffn / "lin1"), hidden_size, intermediate_size, initializer_range)?;
        let output = linear(&(&ffn / "lin2"), intermediate_size, hidden_size, initializer_range)?;
        config.activation.register(&(&ffn / "activation"))?;
        Ok(Self {
            attention: SelfAttention::new(projections, dropout, config.heads),
            attention_output,
            attention_output_dropout: None,
            attention_norm,
            intermediate,
            activation: config.activation,
            output,
            output_dropout,
            output_norm: LayerNorm::new(&(path / "output_layer_norm"), hidden_size, layer_norm_eps)?,
        })
    }

    /// `[N, L, H]` to `[N, L, H]`, and the attention weights `[N, heads, L, L]` where `weights` asks for
    /// them. `mask`, `[N, L]`, is true for tokens and false for padding.
    ///
    /// # Errors
    /// Shapes that do not fit.
    pub fn forward(
        &self,
        hidden: &Tensor,
        mask: Option<&Tensor>,
        weights: bool,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let (attended, weights) = self.attention.forward(hidden, mask, weights)?;
        let mut attended = self.attention_output.forward(&attended)?;
        if let Some(dropout) = &self.attention_output_dropout {
            attended = dropout.forward(&attended)?;
        }
        let attended = self.attention_norm.forward(&attended.f_add(hidden)?)?;
        let between = self.activation.apply(&self.intermediate.forward(&attended)?)?;
        let output = self.output_dropout.forward(&self.output.forward(&between)?)?;
        Ok((self.output_norm.forward(&output.f_add(&attended)?)?, weights))
    }
}
