//! Token ids to vectors: the token's, its position's, its type's.

use thaw_plugin_api::nn::{self, Dropout, Embedding, LayerNorm, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Kind, Tensor, no_grad};

use super::{EncoderConfig, EncoderKind};

/// The embeddings of an encoder.
pub struct Embeddings {
    words: Embedding,
    /// None where attention alone knows of places.
    positions: Option<Embedding>,
    types: Option<Embedding>,
    norm: LayerNorm,
    dropout: Dropout,
    config: EncoderConfig,
}

impl Embeddings {
    /// The tables with transformers' initial values.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let padding = Some(config.pad_token_id);
        path.module(&match config.kind {
            EncoderKind::DistilBert => "Embeddings".to_owned(),
            kind => kind.class("Embeddings"),
        })?;
        let rows = |rows| [rows, config.embedding_size];
        let words = table(&(path / "word_embeddings"), rows(config.vocab_size), padding, config)?;
        let build_positions = |padding| {
            table(&(path / "position_embeddings"), rows(config.max_positions), padding, config).map(Some)
        };
        let adds_positions = config.disentangled.as_ref().is_none_or(|own| own.adds_positions);
        // RoBERTa registers its positions last.
        let late = config.kind == EncoderKind::Roberta;
        let own_padding = padding.filter(|_| config.kind == EncoderKind::Mpnet);
        let early = if late || !adds_positions { None } else { build_positions(own_padding)? };
        let types = match config.token_types {
            0 => None,
            types => Some(table(&(path / "token_type_embeddings"), rows(types), None, config)?),
        };
        let norm = LayerNorm::new(&(path / "LayerNorm"), config.embedding_size, config.layer_norm_eps)?;
        let dropout = Dropout::new(&(path / "dropout"), config.hidden_dropout)?;
        let positions = if late { build_positions(padding)? } else { early };
        Ok(Self { words, positions, types, norm, dropout, config: config.clone() })
    }

    /// Ids `[N, L]` to vectors `[N, L, H]`. `mask`, true for tokens, sets DeBERTa's padding to zero.
    ///
    /// # Errors
    /// A text that is too long, ids or types outside of their tables.
    pub fn forward(
        &self,
        input_ids: &Tensor,
        token_types: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Result<Tensor> {
        let &[_, length] = input_ids.size().as_slice() else {
            bail!("input_ids has shape {:?}, expected [batch, tokens]", input_ids.size());
        };
        let longest = self.config.longest();
        if length > longest {
            let error =
                Error::new(format_args!("a text has {length} tokens, the model takes at most {longest}"));
            return Err(error.help(format_args!("set `max_length = {longest}` or less in [data]")));
        }
        let words = self.words.forward(input_ids).map_err(|error| {
            error.context(format_args!(
                "cannot look up the tokens: the model has a vocabulary of {}, does the tokenizer belong to \
                 it?",
                self.config.vocab_size
            ))
        })?;
        let mut sum = match &self.positions {
            Some(positions) => words.f_add(&positions.forward(&self.position_ids(input_ids)?)?)?,
            None => words,
        };
        if let Some(table) = &self.types {
            // A single type is everybody's: RoBERTa's tokenizer may still number the texts of a pair.
            let given = token_types.filter(|_| self.config.token_types > 1);
            let types = given.map_or_else(|| input_ids.f_zeros_like(), |types| Ok(types.shallow_clone()))?;
            let vectors = table.forward(&types).map_err(|error| {
                error.context(format_args!(
                    "cannot look up token_type_ids: the model has {} types",
                    self.config.token_types
                ))
            })?;
            sum = sum.f_add(&vectors)?;
        }
        let mut normal = self.norm.forward(&sum)?;
        if let Some(mask) = mask.filter(|_| self.config.kind == EncoderKind::DebertaV2) {
            normal = normal.f_mul(&mask.f_unsqueeze(2)?.f_to_kind(normal.kind())?)?;
        }
        self.dropout.forward(&normal)
    }

    /// 0, 1, …; RoBERTa and MPNet count the tokens that are no padding, from behind the padding id, which
    /// padding itself keeps.
    fn position_ids(&self, input_ids: &Tensor) -> Result<Tensor> {
        let length = input_ids.size().get(1).copied().unwrap_or_default();
        if !self.config.kind.counts_from_padding() {
            return Ok(Tensor::f_arange(length, (Kind::Int64, input_ids.device()))?.f_unsqueeze(0)?);
        }
        let tokens = input_ids.f_ne(self.config.pad_token_id)?.f_to_kind(Kind::Int64)?;
        let counted = tokens.f_cumsum(1, Kind::Int64)?.f_mul(&tokens)?;
        Ok(counted.f_add_scalar(self.config.pad_token_id)?)
    }
}

/// A table of this shape with transformers' initial values.
pub(super) fn table(
    path: &nn::Path,
    [rows, features]: [i64; 2],
    padding: Option<i64>,
    config: &EncoderConfig,
) -> Result<Embedding> {
    let table = Embedding::new(path, rows, features, padding)?;
    // `Embedding` starts with a standard deviation of 1 and a row of zeros for padding.
    let _ = no_grad(|| table.weight().shallow_clone().f_mul_scalar_(config.initializer_range))?;
    Ok(table)
}
