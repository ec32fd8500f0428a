//! BERT and its kin for text classification and sentence pairs.
//!
//! Modules and parameters have Hugging Face's names, so that its weight files load as they are:
//! [`BertClassifier`], [`DistilBertClassifier`], [`RobertaClassifier`], [`MiniLmClassifier`],
//! [`ElectraClassifier`], [`AlbertClassifier`], [`MpnetClassifier`], [`DebertaClassifier`]. Each is an
//! [`Encoder`], a [`Pooling`] that makes one vector of a text, and a head; [`Layout`] says under which names.
//!
//! | input | shape | |
//! |---|---|---|
//! | `input_ids` | `[N, L]`, i64 | required |
//! | `attention_mask` | `[N, L]`, 1 for a token, 0 for padding | default: all tokens |
//! | `token_type_ids` | `[N, L]`, i64: which text of a pair | default: 0; some families have none |
//!
//! | output | shape | |
//! |---|---|---|
//! | `logits` | `[N, num_classes]` | `embedding` `[N, hidden]` where `num_classes = 0` |
//! | `last_hidden_state` | `[N, L, hidden]` | with `output_last_hidden_state` |
//! | `attentions.0` … | `[N, heads, L, L]` | with `output_attentions` |

pub mod classifier;
pub mod config;
pub mod encoder;

pub use classifier::{
    AlbertClassifier, BertClassifier, DebertaClassifier, DistilBertClassifier, ElectraClassifier,
    MiniLmClassifier, MpnetClassifier, RobertaClassifier,
};
pub use config::{Layout, Pooling};
pub use encoder::{Encoder, EncoderConfig};

#[cfg(feature = "export")]
thaw_plugin_api::export_plugin!(models: [BertClassifier, DistilBertClassifier, RobertaClassifier,
    MiniLmClassifier, ElectraClassifier, AlbertClassifier, MpnetClassifier, DebertaClassifier]);
