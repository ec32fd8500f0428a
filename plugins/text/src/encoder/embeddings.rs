//! Token ids to vectors: the token's, its position's, its type's.

use thaw_plugin_api::nn::{self, Dropout, Embedding, LayerNorm, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Kind, Tensor, no_grad};

use super::{EncoderConfig, EncoderKind};

/// The embeddings of an encoder.
pub struct Embeddings {
    words: Embedding,
    positions: Embedding,
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
        let words = table(&(path / "word_embeddings"), config.vocab_size, padding, config)?;
        let build_positions =
            |padding| table(&(path / "position_embeddings"), config.max_positions, padding, config);
        // RoBERTa registers its positions last.
        let early = if config.kind == EncoderKind::Roberta { None } else { Some(build_positions(None)?) };
        let types = match config.token_types {
            0 => None,
            types => Some(table(&(path / "token_type_embeddings"), types, None, config)?),
        };
        let norm = LayerNorm::new(&(path / "LayerNorm"), config.hidden_size, config.layer_norm_eps)?;
        let dropout = Dropout::new(&(path / "dropout"), config.hidden_dropout)?;
        let positions = early.map_or_else(|| build_positions(padding), Ok)?;
        Ok(Self { words, positions, types, norm, dropout, config: config.clone() })
    }

    /// Ids `[N, L]` to vectors `[N, L, H]`.
    ///
    /// # Errors
    /// A text that is too long, ids or types outside of their tables.
    pub fn forward(&self, input_ids: &Tensor, token_types: Option<&Tensor>) -> Result<Tensor> {
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
        let mut sum = words.f_add(&self.positions.forward(&self.position_ids(input_ids)?)?)?;
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
        self.dropout.forward(&self.norm.forward(&sum)?)
    }

    /// 0, 1, …; RoBERTa counts the tokens that are no padding, from behind the padding id, which padding
    /// itself keeps.
    fn position_ids(&self, input_ids: &Tensor) -> Result<Tensor> {
        let length = input_ids.size().get(1).copied().unwrap_or_default();
        if self.config.kind != EncoderKind::Roberta {
            return Ok(Tensor::f_arange(length, (Kind::Int64, input_ids.device()))?.f_unsqueeze(0)?);
        }
        let tokens = input_ids.f_ne(self.config.pad_token_id)?.f_to_kind(Kind::Int64)?;
        let counted = tokens.f_cumsum(1, Kind::Int64)?.f_mul(&tokens)?;
        Ok(counted.f_add_scalar(self.config.pad_token_id)?)
    }
}

fn table(path: &nn::Path, rows: i64, padding: Option<i64>, config: &EncoderConfig) -> Result<Embedding> {
    let table = Embedding::new(path, rows, config.hidden_size, padding)?;
    // `Embedding` starts with a standard deviation of 1 and a row of zeros for padding.
    let _ = no_grad(|| table.weight().shallow_clone().f_mul_scalar_(config.initializer_range))?;
    Ok(table)
}
