//! Encoders of BERT's kin, under Hugging Face's module names.

mod activation;
mod attention;
mod block;
mod context;
mod disentangled;
mod distances;
mod embeddings;
mod kind;
mod layer;
mod pooler;

pub use activation::HiddenActivation;
pub use block::{Block, SharedLayers};
pub use context::{Context, Places};
pub use disentangled::{Disentangled, PlaceProjection, PositionTerm};
use distances::Distances;
pub use embeddings::Embeddings;
pub use kind::EncoderKind;
pub use layer::Layer;
use pooler::Pooler;
use thaw_plugin_api::nn::{self, Linear, Module, init};
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
    /// Features per token of the embeddings; other families than ELECTRA and ALBERT have `hidden_size`.
    pub embedding_size: i64,
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
    /// Whether there is a pooler (see [`EncoderKind::can_pool`]).
    pub pooler: bool,
    /// ALBERT's layers that run several times.
    pub shared: Option<SharedLayers>,
    /// Rows of MPNet's table of distances; 0 for the others.
    pub relative_buckets: i64,
    /// DeBERTa's attention.
    pub disentangled: Option<Disentangled>,
    /// Activation of DeBERTa's pooler, which is part of its head.
    pub pooler_activation: HiddenActivation,
    /// Dropout before DeBERTa's pooler.
    pub pooler_dropout: f64,
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
        if self.kind.counts_from_padding() && self.longest() < 1 {
            let rows = self.max_positions;
            return wrong(format!(
                "{rows} position embeddings leave none after the padding id {} ({})",
                self.pad_token_id,
                self.kind.family()
            ));
        }
        Ok(self)
    }

    /// Longest text in tokens.
    pub fn longest(&self) -> i64 {
        if self.kind.counts_from_padding() {
            return self.max_positions - self.pad_token_id - 1;
        }
        self.max_positions
    }
}

/// Token ids to one vector per token, `[N, L, hidden_size]`.
pub struct Encoder {
    config: EncoderConfig,
    embeddings: Embeddings,
    /// From `embedding_size` to `hidden_size`, where the family has it.
    projection: Option<Projection>,
    blocks: Vec<Block>,
    distances: Distances,
    pooler: Option<Pooler>,
}

/// What widens embeddings, and its path within the encoder.
struct Projection {
    linear: Linear,
    place: &'static str,
}

impl Projection {
    const ELECTRA: &'static str = "embeddings_project";
    const ALBERT: &'static str = "encoder.embedding_hidden_mapping_in";

    fn new(path: &nn::Path, config: &EncoderConfig, place: &'static str) -> Result<Option<Self>> {
        let has = match config.kind {
            EncoderKind::Electra => place == Self::ELECTRA && config.embedding_size != config.hidden_size,
            EncoderKind::Albert => place == Self::ALBERT,
            _ => false,
        };
        if !has {
            return Ok(None);
        }
        let (from, to) = (config.embedding_size, config.hidden_size);
        Ok(Some(Self { linear: linear(&path.child(place), from, to, config.initializer_range)?, place }))
    }
}

impl Encoder {
    /// Builds the encoder with transformers' initial values.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let kind = config.kind;
        path.module(&kind.class("Model"))?;
        let embeddings = Embeddings::new(&(path / "embeddings"), config)?;
        let projection = Projection::new(path, config, Projection::ELECTRA)?;
        let stack = path / kind.stack();
        stack.module(&kind.stack_class())?;
        let projection = match projection {
            None => Projection::new(path, config, Projection::ALBERT)?,
            found => found,
        };
        let blocks = Block::all(&(&stack / kind.list()), config)?;
        let distances = Distances::new(&stack, config)?;
        let pooler = if config.pooler { Some(Pooler::new(path, config)?) } else { None };
        Ok(Self { config: config.clone(), embeddings, projection, blocks, distances, pooler })
    }

    /// Sizes and rates.
    pub fn config(&self) -> &EncoderConfig {
        &self.config
    }

    /// Layers that run together, first to last: one each but for ALBERT, which has one block per group.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// Paths within the encoder of what makes the first block's input, tables of distances included.
    pub fn first_modules(&self) -> Vec<String> {
        let stack = self.config.kind.stack();
        let mut modules = vec!["embeddings".to_owned()];
        modules.extend(self.projection.as_ref().map(|projection| projection.place.to_owned()));
        modules.extend(self.distances.modules().iter().map(|name| format!("{stack}.{name}")));
        modules
    }

    /// Ids (i64, `[N, L]`) to vectors; `token_types` are 0 where there are none; `mask` is true for tokens.
    ///
    /// # Errors
    /// A text that is too long, ids outside of the tables.
    pub fn embed(
        &self,
        input_ids: &Tensor,
        token_types: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let embedded = self.embeddings.forward(input_ids, token_types, mask)?;
        match &self.projection {
            Some(projection) => projection.linear.forward(&embedded),
            None => Ok(embedded),
        }
    }

    /// What layers are told of hidden states `[N, L, H]` whose tokens `mask`, `[N, L]`, is true for.
    ///
    /// # Errors
    /// libtorch refuses the shapes.
    pub fn context(&self, hidden: &Tensor, mask: Option<Tensor>) -> Result<Context> {
        let (_, length, _) = hidden.size3()?;
        self.distances.context(mask, length, hidden.device())
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
