//! BERT, RoBERTa and DistilBERT encoders, under Hugging Face's module names.

mod activation;
mod attention;
mod embeddings;
mod kind;
mod layer;

pub use activation::HiddenActivation;
pub use embeddings::Embeddings;
pub use kind::EncoderKind;
pub use layer::Layer;
use thaw_plugin_api::nn::{self, Activation, ActivationKind, Linear, Module, init};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Kind, Tensor};

use crate::config::SizeError;

/// All that it takes to build an encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderConfig {
    /// The family: names and details.
    pub kind: EncoderKind,
    /// Rows of the token table.
    pub vocab_size: i64,
    /// Features per token.
    pub hidden_size: i64,
    /// Number of layers.
    pub layers: i64,
    /// Attention heads per layer.
    pub heads: i64,
    /// Features inside of the feed-forward parts.
    pub intermediate_size: i64,
    /// Activation of the feed-forward parts.
    pub activation: HiddenActivation,
    /// Rows of the position table.
    pub max_positions: i64,
    /// Rows of the table of token types; DistilBERT has none.
    pub token_types: i64,
    /// Added to the variance by layer norms.
    pub layer_norm_eps: f64,
    /// Id of the padding token, whose row gets no gradient.
    pub pad_token_id: i64,
    /// Dropout after the embeddings and after the parts of a layer.
    pub hidden_dropout: f64,
    /// Dropout of the attention weights.
    pub attention_dropout: f64,
    /// Standard deviation of the initial weights.
    pub initializer_range: f64,
    /// Whether there is a pooler (BERT and RoBERTa).
    pub pooler: bool,
}

impl EncoderConfig {
    /// The same, if the sizes go together.
    ///
    /// # Errors
    /// What does not, with both numbers.
    pub fn checked(self) -> Result<Self, SizeError> {
        let wrong = |message: String| Err(SizeError::Sizes(message));
        if self.hidden_size % self.heads != 0 {
            return wrong(format!(
                "a hidden size of {} cannot be split among {} attention heads",
                self.hidden_size, self.heads
            ));
        }
        if self.pad_token_id >= self.vocab_size {
            return wrong(format!(
                "pad_token_id is {}, outside of a vocabulary of {}",
                self.pad_token_id, self.vocab_size
            ));
        }
        if self.kind == EncoderKind::Roberta && self.longest() < 1 {
            let rows = self.max_positions;
            return wrong(format!(
                "{rows} position embeddings leave none after the padding id {} (RoBERTa)",
                self.pad_token_id
            ));
        }
        Ok(self)
    }

    /// Longest text in tokens.
    pub fn longest(&self) -> i64 {
        match self.kind {
            // Positions start behind the padding id.
            EncoderKind::Roberta => self.max_positions - self.pad_token_id - 1,
            EncoderKind::Bert | EncoderKind::DistilBert => self.max_positions,
        }
    }
}

/// Token ids to one vector per token, `[N, L, hidden_size]`.
pub struct Encoder {
    config: EncoderConfig,
    embeddings: Embeddings,
    layers: Vec<Layer>,
    pooler: Option<Pooler>,
}

impl Encoder {
    /// Builds the encoder with transformers' initial values.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let kind = config.kind;
        path.module(kind.model_class())?;
        let embeddings = Embeddings::new(&(path / "embeddings"), config)?;
        let stack = path / kind.stack();
        stack.module(kind.stack_class())?;
        (&stack / "layer").module("ModuleList")?;
        let layers = (0..config.layers)
            .map(|index| Layer::new(&(&stack / "layer" / index), config))
            .collect::<Result<_>>()?;
        let pooler = if config.pooler { Some(Pooler::new(&(path / "pooler"), config)?) } else { None };
        Ok(Self { config: config.clone(), embeddings, layers, pooler })
    }

    /// Sizes and rates.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// The layers, first to last.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Ids (i64, `[N, L]`) to vectors; `token_types` are 0 where there are none.
    ///
    /// # Errors
    /// A text that is too long, ids outside of the tables.
    pub fn embed(&self, input_ids: &Tensor, token_types: Option<&Tensor>) -> Result<Tensor> {
        self.embeddings.forward(input_ids, token_types)
    }

    /// The first token's vector through the pooler.
    ///
    /// # Errors
    /// There is no pooler.
    pub fn pool(&self, hidden: &Tensor) -> Result<Tensor> {
        match &self.pooler {
            Some(pooler) => pooler.forward(&hidden.f_select(1, 0)?),
            None => bail!("this encoder has no pooler; set `add_pooling_layer = true`"),
        }
    }
}

/// A linear layer and tanh over the first token.
struct Pooler {
    dense: Linear,
    activation: Activation,
}

impl Pooler {
    fn new(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        path.module(&config.kind.class("Pooler"))?;
        let dense =
            linear(&(path / "dense"), config.hidden_size, config.hidden_size, config.initializer_range)?;
        Ok(Self { dense, activation: Activation::new(&(path / "activation"), ActivationKind::Tanh)? })
    }
}

impl Module for Pooler {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.activation.forward(&self.dense.forward(input)?)
    }
}

/// A linear layer with transformers' initial values: normal weights, a bias of zeros.
pub(crate) fn linear(path: &nn::Path, in_features: i64, out_features: i64, std: f64) -> Result<Linear> {
    Linear::with_values(
        path,
        init::normal(&[out_features, in_features], std)?,
        Some(init::zeros(&[out_features])?),
    )
}

/// The mask of `[N, L]` numbers as truth values: what is not 0 is a token.
///
/// # Errors
/// The mask has another shape than the ids.
pub fn token_mask(mask: &Tensor, input_ids: &Tensor) -> Result<Tensor> {
    ensure!(
        mask.size() == input_ids.size(),
        "attention_mask has shape {:?}, input_ids {:?}: they need the same",
        mask.size(),
        input_ids.size()
    );
    if mask.kind() == Kind::Bool { Ok(mask.shallow_clone()) } else { Ok(mask.f_ne(0)?) }
}
