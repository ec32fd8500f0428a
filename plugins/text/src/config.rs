//! The models' keys in the run config, and how a `config.json` of Hugging Face fills in what they leave open.

mod error;
mod further;
mod hub;
mod sizes;

use std::path::PathBuf;

pub use error::SizeError;
pub use further::{AlbertSizes, DebertaSizes, ElectraSizes, MpnetSizes};
pub use hub::HubConfig;
pub use sizes::{BertSizes, DistilBertSizes};
use thaw_plugin_api::prelude::*;

/// Under which names encoder and head lie, and what the head is.
#[derive(Config, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// `backbone` and `head`: one linear layer after dropout.
    BackboneHead,
    /// As transformers' `…ForSequenceClassification`: `bert`, `distilbert`, … and its own head over the
    /// pooler (BERT, ALBERT) or the first token.
    SequenceClassification,
    /// `bert` and `W`: one linear layer on the first token, without dropout, whatever the encoder.
    Mnli,
}

/// How the tokens of a text become one vector.
#[derive(Config, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The first token's.
    Cls,
    /// The mean over the tokens that are no padding.
    Mean,
    /// The first token's through a linear layer and tanh (BERT's pooler).
    Pooler,
}

/// Keys of all models.
#[derive(Config, Clone, Debug)]
pub struct ClassifierConfig {
    /// Number of classes. 1 is regression: mean squared error of one number. 0 leaves the head out: the
    /// output is the pooled vector. Default: as many as the data has; without data that of `config`, else 2.
    #[config(range = 0..)]
    pub num_classes: Option<i64>,
    /// A `config.json` of Hugging Face, or its folder; it gives the sizes that the keys below do not.
    /// Default: the one in the folder that `weights` names, if it has one.
    pub config: Option<PathBuf>,
    /// Names of encoder and head. Default: `sequence-classification` where `config` is that of a trained
    /// `…ForSequenceClassification` and nothing else is asked for (`pooling`, or 0 classes), else
    /// `backbone-head`.
    pub layout: Option<Layout>,
    /// How the tokens become one vector; only with layout `backbone-head`, the others have their own.
    /// Default: `cls`, for MiniLM `mean`.
    pub pooling: Option<Pooling>,
    /// Whether the encoder has a pooler (those of BERT, RoBERTa, ALBERT and MPNet may). Default: where
    /// something runs it, and with layout `mnli`.
    pub add_pooling_layer: Option<bool>,
    /// Dropout before the head. Default: that of `config`, else the hidden layers'.
    #[config(range = 0.0..=1.0)]
    pub classifier_dropout: Option<f64>,
    /// Whether the encoder starts frozen and in evaluation mode: no gradients, and none computed. A strategy
    /// can still thaw it.
    #[config(default = false)]
    pub freeze_features: bool,
    /// Scales the pooled vector to length 1, as sentence embeddings are compared.
    #[config(default = false)]
    pub normalize: bool,
    /// Further outputs `attentions.0`, …: each layer's attention weights. Slower: they are not made
    /// otherwise.
    #[config(default = false)]
    pub output_attentions: bool,
    /// A further output `last_hidden_state`: the last layer's vector of every token.
    #[config(default = false)]
    pub output_last_hidden_state: bool,
}
