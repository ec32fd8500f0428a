//! Sizes of the encoders, under the names that each family has in its `config.json`.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use super::{HubConfig, SizeError};
use crate::encoder::{EncoderConfig, EncoderKind, HiddenActivation};

/// Sizes of BERT, RoBERTa and MiniLM. What is not given is that of `config`, else of the family's usual model
/// (bert-base-uncased, roberta-base, all-MiniLM-L6-v2).
#[derive(Config, Clone, Debug, Default)]
pub struct BertSizes {
    /// Number of tokens that the tokenizer knows.
    #[config(range = 1..)]
    pub vocab_size: Option<i64>,
    /// Features per token.
    #[config(range = 1..)]
    pub hidden_size: Option<i64>,
    /// Encoder layers.
    #[config(range = 0..)]
    pub num_hidden_layers: Option<i64>,
    /// Attention heads; they divide `hidden_size`.
    #[config(range = 1..)]
    pub num_attention_heads: Option<i64>,
    /// Features inside of each layer's feed-forward part.
    #[config(range = 1..)]
    pub intermediate_size: Option<i64>,
    /// Activation of the feed-forward part: transformers' names, such as `gelu`, `gelu_new`, `relu`, `silu`.
    pub hidden_act: Option<String>,
    /// Rows of the position table: the longest text in tokens (RoBERTa: plus 2).
    #[config(range = 1..)]
    pub max_position_embeddings: Option<i64>,
    /// Kinds of tokens: which text of a pair. 0, for DeBERTa alone, is no difference between them.
    #[config(range = 0..)]
    pub type_vocab_size: Option<i64>,
    /// Added to the variance by layer norms.
    #[config(range = 0.0..=1.0)]
    pub layer_norm_eps: Option<f64>,
    /// Id of the padding token.
    #[config(range = 0..)]
    pub pad_token_id: Option<i64>,
    /// Dropout after the embeddings and after each part of a layer.
    #[config(range = 0.0..=1.0)]
    pub hidden_dropout_prob: Option<f64>,
    /// Dropout of the attention weights.
    #[config(range = 0.0..=1.0)]
    pub attention_probs_dropout_prob: Option<f64>,
    /// Standard deviation of the initial weights.
    #[config(range = 0.0..=1.0)]
    pub initializer_range: Option<f64>,
}

/// Sizes of DistilBERT. What is not given is that of `config`, else of distilbert-base-uncased.
#[derive(Config, Clone, Debug, Default)]
pub struct DistilBertSizes {
    /// Number of tokens that the tokenizer knows.
    #[config(range = 1..)]
    pub vocab_size: Option<i64>,
    /// Features per token.
    #[config(range = 1..)]
    pub dim: Option<i64>,
    /// Encoder layers.
    #[config(range = 0..)]
    pub n_layers: Option<i64>,
    /// Attention heads; they divide `dim`.
    #[config(range = 1..)]
    pub n_heads: Option<i64>,
    /// Features inside of each layer's feed-forward part.
    #[config(range = 1..)]
    pub hidden_dim: Option<i64>,
    /// Activation of the feed-forward part: transformers' names, such as `gelu`, `gelu_new`, `relu`, `silu`.
    pub activation: Option<String>,
    /// Rows of the position table: the longest text in tokens.
    #[config(range = 1..)]
    pub max_position_embeddings: Option<i64>,
    /// Id of the padding token.
    #[config(range = 0..)]
    pub pad_token_id: Option<i64>,
    /// Dropout after the embeddings and in the feed-forward parts.
    #[config(range = 0.0..=1.0)]
    pub dropout: Option<f64>,
    /// Dropout of the attention weights.
    #[config(range = 0.0..=1.0)]
    pub attention_dropout: Option<f64>,
    /// Dropout before the head; `classifier_dropout` is the same.
    #[config(range = 0.0..=1.0)]
    pub seq_classif_dropout: Option<f64>,
    /// Standard deviation of the initial weights.
    #[config(range = 0.0..=1.0)]
    pub initializer_range: Option<f64>,
}

impl BertSizes {
    /// The whole of them: these, else the file's, else `usual`'s.
    ///
    /// # Errors
    /// Values of the file that cannot be used, or sizes that do not go together.
    pub fn resolve(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        self.read(hub, usual)?.checked()
    }

    /// The same, before a family adds its own to it.
    pub(super) fn read(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        hub.require("position_embedding_type", &json!("absolute"))?;
        hub.require("is_decoder", &json!(false))?;
        let activation = hub.text("hidden_act", self.hidden_act.as_deref(), usual.activation.name())?;
        let hidden_size = hub.integer("hidden_size", self.hidden_size, usual.hidden_size, 1)?;
        if self.type_vocab_size.is_some_and(|types| types < usual.token_types.min(1)) {
            let expected = "`type_vocab_size` is 0, expected a number of at least 1";
            return Err(SizeError::Sizes(expected.to_owned()));
        }
        Ok(EncoderConfig {
            kind: usual.kind,
            vocab_size: hub.integer("vocab_size", self.vocab_size, usual.vocab_size, 1)?,
            embedding_size: hidden_size,
            hidden_size,
            layers: hub.integer("num_hidden_layers", self.num_hidden_layers, usual.layers, 0)?,
            heads: hub.integer("num_attention_heads", self.num_attention_heads, usual.heads, 1)?,
            intermediate_size: hub.integer(
                "intermediate_size",
                self.intermediate_size,
                usual.intermediate_size,
                1,
            )?,
            activation: HiddenActivation::named("hidden_act", &activation)?,
            max_positions: hub.integer(
                "max_position_embeddings",
                self.max_position_embeddings,
                usual.max_positions,
                1,
            )?,
            token_types: hub.integer(
                "type_vocab_size",
                self.type_vocab_size,
                usual.token_types,
                usual.token_types.min(1),
            )?,
            layer_norm_eps: hub.fraction("layer_norm_eps", self.layer_norm_eps, usual.layer_norm_eps)?,
            pad_token_id: hub.integer("pad_token_id", self.pad_token_id, usual.pad_token_id, 0)?,
            hidden_dropout: hub.fraction(
                "hidden_dropout_prob",
                self.hidden_dropout_prob,
                usual.hidden_dropout,
            )?,
            attention_dropout: hub.fraction(
                "attention_probs_dropout_prob",
                self.attention_probs_dropout_prob,
                usual.attention_dropout,
            )?,
            initializer_range: hub.fraction(
                "initializer_range",
                self.initializer_range,
                usual.initializer_range,
            )?,
            ..usual.clone()
        })
    }
}

impl DistilBertSizes {
    /// The whole of them: these, else the file's, else `usual`'s.
    ///
    /// # Errors
    /// Values of the file that cannot be used, or sizes that do not go together.
    pub fn resolve(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        hub.require("sinusoidal_pos_embds", &json!(false))?;
        let activation = hub.text("activation", self.activation.as_deref(), usual.activation.name())?;
        let hidden_size = hub.integer("dim", self.dim, usual.hidden_size, 1)?;
        let config = EncoderConfig {
            kind: EncoderKind::DistilBert,
            vocab_size: hub.integer("vocab_size", self.vocab_size, usual.vocab_size, 1)?,
            embedding_size: hidden_size,
            hidden_size,
            layers: hub.integer("n_layers", self.n_layers, usual.layers, 0)?,
            heads: hub.integer("n_heads", self.n_heads, usual.heads, 1)?,
            intermediate_size: hub.integer("hidden_dim", self.hidden_dim, usual.intermediate_size, 1)?,
            activation: HiddenActivation::named("activation", &activation)?,
            max_positions: hub.integer(
                "max_position_embeddings",
                self.max_position_embeddings,
                usual.max_positions,
                1,
            )?,
            token_types: 0,
            pad_token_id: hub.integer("pad_token_id", self.pad_token_id, usual.pad_token_id, 0)?,
            hidden_dropout: hub.fraction("dropout", self.dropout, usual.hidden_dropout)?,
            attention_dropout: hub.fraction(
                "attention_dropout",
                self.attention_dropout,
                usual.attention_dropout,
            )?,
            initializer_range: hub.fraction(
                "initializer_range",
                self.initializer_range,
                usual.initializer_range,
            )?,
            ..usual.clone()
        };
        config.checked()
    }
}
