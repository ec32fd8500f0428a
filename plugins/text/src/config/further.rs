//! Sizes of ELECTRA, ALBERT, MPNet and DeBERTa: BERT's, and what each family has besides.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::{Value, json};

use super::{BertSizes, HubConfig, SizeError};
use crate::classifier::usual::deberta_v3;
use crate::encoder::{
    Disentangled, EncoderConfig, HiddenActivation, PlaceProjection, PositionTerm, SharedLayers,
};

/// MPNet computes with so many rows, whatever its table has.
const MPNET_BUCKETS: i64 = 32;

/// Sizes of ELECTRA. What is not given is that of `config`, else of google/electra-small-discriminator.
#[derive(Config, Clone, Debug, Default)]
pub struct ElectraSizes {
    /// BERT's.
    #[config(flatten)]
    pub bert: BertSizes,
    /// Features per token of the embeddings; a linear layer widens them where `hidden_size` is another.
    #[config(range = 1..)]
    pub embedding_size: Option<i64>,
}

/// Sizes of ALBERT. What is not given is that of `config`, else of albert-base-v2.
#[derive(Config, Clone, Debug, Default)]
pub struct AlbertSizes {
    /// BERT's. `num_hidden_layers` counts how often groups run, all together.
    #[config(flatten)]
    pub bert: BertSizes,
    /// Features per token of the embeddings, which a linear layer widens.
    #[config(range = 1..)]
    pub embedding_size: Option<i64>,
    /// Groups of layers; each runs for its share of `num_hidden_layers`.
    #[config(range = 1..)]
    pub num_hidden_groups: Option<i64>,
    /// Layers of a group.
    #[config(range = 1..)]
    pub inner_group_num: Option<i64>,
}

/// Sizes of MPNet. What is not given is that of `config`, else of microsoft/mpnet-base. It has no types of
/// tokens.
#[derive(Config, Clone, Debug, Default)]
pub struct MpnetSizes {
    /// BERT's.
    #[config(flatten)]
    pub bert: BertSizes,
    /// Rows of the table of distances between tokens.
    #[config(range = 32..)]
    pub relative_attention_num_buckets: Option<i64>,
}

/// Sizes of DeBERTa-v2 and -v3. What is not given is that of `config`, else of microsoft/deberta-v3-base.
#[derive(Config, Clone, Debug, Default)]
pub struct DebertaSizes {
    /// BERT's.
    #[config(flatten)]
    pub bert: BertSizes,
    /// The largest distance of two tokens; -1 is `max_position_embeddings`.
    pub max_relative_positions: Option<i64>,
    /// Rows for distances in each direction, far ones sharing theirs; -1 is a row for each distance.
    pub position_buckets: Option<i64>,
    /// What beside content looking at content counts in attention: `c2p`, `p2c`.
    pub pos_att_type: Option<Vec<String>>,
    /// Whether places go through the projections of contents.
    pub share_att_key: Option<bool>,
    /// Whether the table of distances goes through a layer norm: `layer_norm`, `none`.
    pub norm_rel_ebd: Option<String>,
    /// Whether positions are added to the embeddings, too.
    pub position_biased_input: Option<bool>,
    /// Has to be true: attention without distances is BERT's.
    pub relative_attention: Option<bool>,
    /// Activation of the head's first layer.
    pub pooler_hidden_act: Option<String>,
    /// Dropout before the head's first layer.
    #[config(range = 0.0..=1.0)]
    pub pooler_dropout: Option<f64>,
}

impl ElectraSizes {
    /// The whole of them: these, else the file's, else `usual`'s.
    ///
    /// # Errors
    /// Values of the file that cannot be used, or sizes that do not go together.
    pub fn resolve(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        let mut config = self.bert.read(hub, usual)?;
        config.embedding_size =
            hub.integer("embedding_size", self.embedding_size, usual.embedding_size, 1)?;
        config.checked()
    }
}

impl AlbertSizes {
    /// The whole of them: these, else the file's, else `usual`'s.
    ///
    /// # Errors
    /// Values of the file that cannot be used, or sizes that do not go together.
    pub fn resolve(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        let mut config = self.bert.read(hub, usual)?;
        config.embedding_size =
            hub.integer("embedding_size", self.embedding_size, usual.embedding_size, 1)?;
        let groups = hub.integer("num_hidden_groups", self.num_hidden_groups, 1, 1)?;
        let inner = hub.integer("inner_group_num", self.inner_group_num, 1, 1)?;
        if groups > config.layers {
            return Err(SizeError::Sizes(format!(
                "num_hidden_groups is {groups}, more than the {} num_hidden_layers",
                config.layers
            )));
        }
        config.shared = Some(SharedLayers { groups, inner });
        config.checked()
    }
}

impl MpnetSizes {
    /// The whole of them: these, else the file's, else `usual`'s.
    ///
    /// # Errors
    /// Values of the file that cannot be used, or sizes that do not go together.
    pub fn resolve(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        let mut config = self.bert.read(hub, usual)?;
        config.relative_buckets = hub.integer(
            "relative_attention_num_buckets",
            self.relative_attention_num_buckets,
            usual.relative_buckets,
            MPNET_BUCKETS,
        )?;
        if config.token_types > 0 {
            return Err(SizeError::Sizes(
                "MPNet has no types of tokens: leave type_vocab_size out".to_owned(),
            ));
        }
        config.checked()
    }
}

impl DebertaSizes {
    /// The whole of them: these, else the file's, else `usual`'s.
    ///
    /// # Errors
    /// Values of the file that cannot be used, or sizes that do not go together.
    pub fn resolve(&self, hub: &HubConfig, usual: &EncoderConfig) -> Result<EncoderConfig, SizeError> {
        let mut config = self.bert.read(hub, usual)?;
        hub.require("conv_kernel_size", &json!(0))?;
        hub.require("embedding_size", &json!(config.hidden_size))?;
        hub.require("attention_head_size", &json!(config.hidden_size / config.heads))?;
        hub.require("pooler_hidden_size", &json!(config.hidden_size))?;
        let relative = hub.flag("relative_attention", self.relative_attention, !hub.is_given())?;
        if !relative {
            return Err(SizeError::Sizes("relative_attention is false, expected true".to_owned()));
        }
        let activation = hub.text("pooler_hidden_act", self.pooler_hidden_act.as_deref(), "gelu")?;
        config.pooler_activation = HiddenActivation::named("pooler_hidden_act", &activation)?;
        config.pooler_dropout = hub.fraction("pooler_dropout", self.pooler_dropout, 0.0)?;
        config.disentangled = Some(self.disentangled(hub, config.max_positions)?);
        config.checked()
    }

    /// What a file leaves out is what transformers' class has; without a file it is DeBERTa-v3's.
    fn disentangled(&self, hub: &HubConfig, max_positions: i64) -> Result<Disentangled, SizeError> {
        let v3 = deberta_v3();
        let is_v3 = !hub.is_given();
        let usual = |of_v3: i64| if is_v3 { of_v3 } else { -1 };
        let distance = hub.integer("max_relative_positions", self.max_relative_positions, -1, i64::MIN)?;
        let max_distance = if distance < 1 { max_positions } else { distance };
        // DeBERTa-v3 has half as many as positions.
        let half = v3.span.min(max_distance / 2);
        let buckets = hub.integer("position_buckets", self.position_buckets, usual(half), i64::MIN)?;
        let buckets = (buckets > 0).then_some(buckets);
        if buckets.is_some_and(|buckets| buckets < 4 || max_distance < buckets) {
            return Err(SizeError::Sizes(format!(
                "position_buckets is {}, expected -1, or at least 4 and at most the largest distance, \
                 {max_distance}",
                buckets.unwrap_or_default()
            )));
        }
        let shared = hub.flag("share_att_key", self.share_att_key, is_v3)?;
        let norms = hub.text(
            "norm_rel_ebd",
            self.norm_rel_ebd.as_deref(),
            if is_v3 { "layer_norm" } else { "none" },
        )?;
        Ok(Disentangled {
            span: buckets.unwrap_or(max_distance),
            buckets,
            max_distance,
            terms: self.terms(hub, if is_v3 { v3.terms } else { Vec::new() })?,
            projection: if shared { PlaceProjection::Shared } else { PlaceProjection::Own },
            normalizes_places: norms.to_lowercase().split('|').any(|norm| norm.trim() == "layer_norm"),
            adds_positions: hub.flag("position_biased_input", self.position_biased_input, !is_v3)?,
        })
    }

    /// `pos_att_type`, in files also as one text with bars.
    fn terms(&self, hub: &HubConfig, usual: Vec<PositionTerm>) -> Result<Vec<PositionTerm>, SizeError> {
        let names = match (&self.pos_att_type, hub.value("pos_att_type")) {
            (Some(given), _) => given.clone(),
            (None, Some(Value::String(text))) => text.split('|').map(str::to_owned).collect(),
            (None, Some(Value::Array(names))) => {
                names.iter().map(|name| name.as_str().unwrap_or_default().to_owned()).collect()
            }
            (None, _) => return Ok(usual),
        };
        let term = |name: String| match name.trim().to_lowercase().as_str() {
            "c2p" => Ok(PositionTerm::ContentToPosition),
            "p2c" => Ok(PositionTerm::PositionToContent),
            _ => Err(SizeError::Sizes(format!("`pos_att_type` has `{name}`, expected c2p and p2c"))),
        };
        names.into_iter().map(term).collect()
    }
}
