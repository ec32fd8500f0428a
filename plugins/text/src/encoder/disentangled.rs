//! DeBERTa's attention (He et al. 2020, "DeBERTa: Decoding-enhanced BERT with Disentangled Attention"): the
//! content of a token looks at contents, at places, and places look at contents.

use thaw_plugin_api::nn::{self, Dropout, Linear, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Kind, Tensor};

use super::attention::SelfAttention;
use super::{Context, EncoderConfig, Places, linear};

/// What beside content looking at content adds to a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PositionTerm {
    /// `c2p`: the content of the query looks at the place of the key.
    ContentToPosition,
    /// `p2c`: the place of the query looks at the content of the key.
    PositionToContent,
}

/// Who projects places to queries and keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaceProjection {
    /// The projections of contents (`share_att_key`).
    Shared,
    /// `pos_key_proj` and `pos_query_proj`.
    Own,
}

/// DeBERTa's keys beside BERT's.
#[derive(Clone, Debug, PartialEq)]
pub struct Disentangled {
    /// Rows of the table of places in each direction.
    pub span: i64,
    /// Distances from half of this on share rows by their logarithm; none is a row for each distance.
    pub buckets: Option<i64>,
    /// The largest distance.
    pub max_distance: i64,
    /// What is added to scores.
    pub terms: Vec<PositionTerm>,
    /// Who projects places.
    pub projection: PlaceProjection,
    /// Whether the table of places goes through a layer norm (`norm_rel_ebd`).
    pub normalizes_places: bool,
    /// Whether positions are added to the embeddings as well (`position_biased_input`).
    pub adds_positions: bool,
}

/// The attention of one layer.
pub(super) struct DisentangledAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    place_dropout: Dropout,
    place_key: Option<Linear>,
    place_query: Option<Linear>,
    dropout: Dropout,
    heads: i64,
    terms: Vec<PositionTerm>,
}

impl DisentangledAttention {
    pub(super) fn new(path: &nn::Path, config: &EncoderConfig, own: &Disentangled) -> Result<Self> {
        let [query, key, value] = SelfAttention::projections(path, config)?;
        let place_dropout = Dropout::new(&(path / "pos_dropout"), config.hidden_dropout)?;
        let project = |term: PositionTerm, name: &str| {
            let has = own.projection == PlaceProjection::Own && own.terms.contains(&term);
            let size = config.hidden_size;
            has.then(|| linear(&(path / name), size, size, config.initializer_range)).transpose()
        };
        Ok(Self {
            query,
            key,
            value,
            place_dropout,
            place_key: project(PositionTerm::ContentToPosition, "pos_key_proj")?,
            place_query: project(PositionTerm::PositionToContent, "pos_query_proj")?,
            dropout: Dropout::new(&(path / "dropout"), config.attention_dropout)?,
            heads: config.heads,
            terms: own.terms.clone(),
        })
    }

    /// `[N, L, H]` to `[N, L, H]`, and the weights.
    pub(super) fn forward(&self, hidden: &Tensor, context: &Context) -> Result<(Tensor, Tensor)> {
        let (batch, length, features) = hidden.size3()?;
        let split = |projected: Tensor| -> Result<Tensor> {
            let (rows, length, _) = projected.size3()?;
            Ok(projected.f_view([rows, length, self.heads, features / self.heads])?.f_transpose(1, 2)?)
        };
        let query = split(self.query.forward(hidden)?)?;
        let key = split(self.key.forward(hidden)?)?;
        let value = split(self.value.forward(hidden)?)?;
        // As transformers: the root in float32, whatever the layer computes in.
        let scale = f64::from((((features / self.heads) * (1 + self.terms.len() as i64)) as f32).sqrt());
        let mut scores = query.f_matmul(&key.f_transpose(2, 3)?)?;
        if let Some(places) = &context.places {
            let table = self.place_dropout.forward(&places.embeddings)?.f_unsqueeze(0)?;
            for term in &self.terms {
                let added = match term {
                    PositionTerm::ContentToPosition => {
                        let place = self.place_key.as_ref().unwrap_or(&self.key);
                        looked_up(&query, &split(place.forward(&table)?)?, places, Direction::Forward)?
                    }
                    PositionTerm::PositionToContent => {
                        let place = self.place_query.as_ref().unwrap_or(&self.query);
                        looked_up(&key, &split(place.forward(&table)?)?, places, Direction::Back)?
                    }
                };
                scores = scores.f_add(&added)?;
            }
        }
        let mut scores = scores.f_div_scalar(scale)?;
        if let Some(mask) = &context.mask {
            // Padding attends to nothing either; its rows are even, and nobody looks at them.
            let both = mask.f_unsqueeze(1)?.f_logical_and(&mask.f_unsqueeze(2)?)?.f_unsqueeze(1)?;
            scores = scores.f_masked_fill(&both.f_logical_not()?, least(scores.kind()))?;
        }
        let weights = scores.f_softmax(-1, None)?;
        let attended = self.dropout.forward(&weights)?.f_matmul(&value)?;
        Ok((attended.f_transpose(1, 2)?.f_reshape([batch, length, features])?, weights))
    }
}

/// Which of two tokens a distance is counted from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// From the query.
    Forward,
    /// From the key.
    Back,
}

/// What each content, `[N, heads, L, D]`, has to say to the place of each other token, of the rows
/// `[1, heads, 2 * span, D]`: query by key, `[N, heads, L, L]`.
fn looked_up(contents: &Tensor, rows: &Tensor, places: &Places, direction: Direction) -> Result<Tensor> {
    let said = contents.f_matmul(&rows.f_transpose(2, 3)?)?;
    let (batch, heads, length, _) = said.size4()?;
    let distances = match direction {
        Direction::Forward => places.distances.shallow_clone(),
        Direction::Back => places.distances.f_neg()?,
    };
    let index = distances.f_add_scalar(places.span)?.f_clamp(0, 2 * places.span - 1)?;
    let found = said.f_gather(3, &index.f_expand([batch, heads, length, length], false)?, false)?;
    match direction {
        Direction::Forward => Ok(found),
        Direction::Back => Ok(found.f_transpose(2, 3)?),
    }
}

/// The least number of a kind, which a row of nothing else still has a softmax of.
fn least(kind: Kind) -> f64 {
    match kind {
        Kind::Double => f64::MIN,
        Kind::Half => -65504.0,
        Kind::BFloat16 => -3.389_531_389_251_535_5e38,
        _ => f64::from(f32::MIN),
    }
}
