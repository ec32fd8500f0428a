//! The layers of each family, under transformers' names and in its order.

use thaw_plugin_api::nn::{self, Dropout, LayerNorm, Linear};
use thaw_plugin_api::prelude::*;

use super::super::attention::{Attention, SelfAttention};
use super::super::disentangled::{Disentangled, DisentangledAttention};
use super::super::{EncoderConfig, EncoderKind, linear};
use super::Layer;

impl Layer {
    /// A layer with transformers' initial values.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        match config.kind {
            EncoderKind::DistilBert => Self::distil_bert(path, config),
            EncoderKind::Albert => Self::albert(path, config),
            _ => Self::bert(path, config),
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
        let attended = match (kind, &config.disentangled) {
            (EncoderKind::Mpnet, _) => Attended::mpnet(&attention_path, config)?,
            (_, own) => Attended::bert(&attention_path, config, own.as_ref())?,
        };
        let between = path / "intermediate";
        between.module(&kind.class("Intermediate"))?;
        let intermediate = linear(&(&between / "dense"), hidden_size, intermediate_size, initializer_range)?;
        config.activation.register(&(&between / "intermediate_act_fn"))?;
        let last = path / "output";
        last.module(&kind.class("Output"))?;
        Ok(Self {
            attention: attended.attention,
            attention_output: attended.output,
            attention_output_dropout: Some(attended.dropout),
            attention_norm: attended.norm,
            intermediate,
            activation: config.activation,
            output: linear(&(&last / "dense"), intermediate_size, hidden_size, initializer_range)?,
            output_norm: LayerNorm::new(&(&last / "LayerNorm"), hidden_size, layer_norm_eps)?,
            output_dropout: Some(Dropout::new(&(&last / "dropout"), hidden_dropout)?),
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
            attention: Attention::Plain(SelfAttention::new(projections, dropout, config.heads)),
            attention_output,
            attention_output_dropout: None,
            attention_norm,
            intermediate,
            activation: config.activation,
            output,
            output_dropout: Some(output_dropout),
            output_norm: LayerNorm::new(&(path / "output_layer_norm"), hidden_size, layer_norm_eps)?,
        })
    }

    fn albert(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let EncoderConfig { hidden_size, intermediate_size, layer_norm_eps, initializer_range, .. } = *config;
        path.module("AlbertLayer")?;
        let output_norm = LayerNorm::new(&(path / "full_layer_layer_norm"), hidden_size, layer_norm_eps)?;
        let own = path / "attention";
        own.module("AlbertAttention")?;
        let dropout = Dropout::new(&(&own / "attention_dropout"), config.attention_dropout)?;
        let after = Dropout::new(&(&own / "output_dropout"), config.hidden_dropout)?;
        let projections = SelfAttention::projections(&own, config)?;
        let attention_output = linear(&(&own / "dense"), hidden_size, hidden_size, initializer_range)?;
        let attention_norm = LayerNorm::new(&(&own / "LayerNorm"), hidden_size, layer_norm_eps)?;
        let intermediate = linear(&(path / "ffn"), hidden_size, intermediate_size, initializer_range)?;
        let output = linear(&(path / "ffn_output"), intermediate_size, hidden_size, initializer_range)?;
        config.activation.register(&(path / "activation"))?;
        // Registered there, and run nowhere.
        Dropout::new(&(path / "dropout"), config.hidden_dropout)?;
        Ok(Self {
            attention: Attention::Plain(SelfAttention::new(projections, dropout, config.heads)),
            attention_output,
            attention_output_dropout: Some(after),
            attention_norm,
            intermediate,
            activation: config.activation,
            output,
            output_dropout: None,
            output_norm,
        })
    }
}

/// Attention with what is done to its result.
struct Attended {
    attention: Attention,
    output: Linear,
    norm: LayerNorm,
    dropout: Dropout,
}

impl Attended {
    /// `attention.self` and `attention.output`, of BERT, RoBERTa, ELECTRA and DeBERTa.
    fn bert(path: &nn::Path, config: &EncoderConfig, disentangled: Option<&Disentangled>) -> Result<Self> {
        let (kind, size) = (config.kind, config.hidden_size);
        let own = path / "self";
        let attention = match disentangled {
            Some(disentangled) => {
                own.module("DisentangledSelfAttention")?;
                Attention::Disentangled(DisentangledAttention::new(&own, config, disentangled)?)
            }
            None => {
                own.module(&kind.class("SelfAttention"))?;
                let projections = SelfAttention::projections(&own, config)?;
                let dropout = Dropout::new(&(&own / "dropout"), config.attention_dropout)?;
                Attention::Plain(SelfAttention::new(projections, dropout, config.heads))
            }
        };
        let after = path / "output";
        after.module(&kind.class("SelfOutput"))?;
        Ok(Self {
            attention,
            output: linear(&(&after / "dense"), size, size, config.initializer_range)?,
            norm: LayerNorm::new(&(&after / "LayerNorm"), size, config.layer_norm_eps)?,
            dropout: Dropout::new(&(&after / "dropout"), config.hidden_dropout)?,
        })
    }

    /// MPNet's `attention.attn`, which has the output's projection, too.
    fn mpnet(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let size = config.hidden_size;
        let own = path / "attn";
        own.module("MPNetSelfAttention")?;
        let projections = SelfAttention::projections(&own, config)?;
        let output = linear(&(&own / "o"), size, size, config.initializer_range)?;
        let dropout = Dropout::new(&(&own / "dropout"), config.attention_dropout)?;
        Ok(Self {
            attention: Attention::Plain(SelfAttention::new(projections, dropout, config.heads)),
            output,
            norm: LayerNorm::new(&(path / "LayerNorm"), size, config.layer_norm_eps)?,
            dropout: Dropout::new(&(path / "dropout"), config.hidden_dropout)?,
        })
    }
}
