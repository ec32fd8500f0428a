//! The sizes of each family's usual model.

use crate::encoder::{
    Disentangled, EncoderConfig, EncoderKind, HiddenActivation, PlaceProjection, PositionTerm, SharedLayers,
};

/// bert-base-uncased.
pub const BERT: EncoderConfig = EncoderConfig {
    kind: EncoderKind::Bert,
    vocab_size: 30522,
    embedding_size: 768,
    hidden_size: 768,
    layers: 12,
    heads: 12,
    intermediate_size: 3072,
    activation: HiddenActivation::GELU,
    max_positions: 512,
    token_types: 2,
    layer_norm_eps: 1e-12,
    pad_token_id: 0,
    hidden_dropout: 0.1,
    attention_dropout: 0.1,
    initializer_range: 0.02,
    pooler: false,
    shared: None,
    relative_buckets: 0,
    disentangled: None,
    pooler_activation: HiddenActivation::GELU,
    pooler_dropout: 0.0,
};

/// all-MiniLM-L6-v2.
pub const MINILM: EncoderConfig =
    EncoderConfig { embedding_size: 384, hidden_size: 384, layers: 6, intermediate_size: 1536, ..BERT };

/// roberta-base.
pub const ROBERTA: EncoderConfig = EncoderConfig {
    kind: EncoderKind::Roberta,
    vocab_size: 50265,
    max_positions: 514,
    token_types: 1,
    layer_norm_eps: 1e-5,
    pad_token_id: 1,
    ..BERT
};

/// distilbert-base-uncased.
pub const DISTIL_BERT: EncoderConfig =
    EncoderConfig { kind: EncoderKind::DistilBert, layers: 6, token_types: 0, ..BERT };

/// google/electra-small-discriminator.
pub const ELECTRA: EncoderConfig = EncoderConfig {
    kind: EncoderKind::Electra,
    embedding_size: 128,
    hidden_size: 256,
    heads: 4,
    intermediate_size: 1024,
    ..BERT
};

/// albert-base-v2.
pub const ALBERT: EncoderConfig = EncoderConfig {
    kind: EncoderKind::Albert,
    vocab_size: 30000,
    embedding_size: 128,
    activation: HiddenActivation::GELU_NEW,
    hidden_dropout: 0.0,
    attention_dropout: 0.0,
    shared: Some(SharedLayers { groups: 1, inner: 1 }),
    ..BERT
};

/// What transformers' `AlbertConfig` leaves at its defaults: albert-xxlarge.
pub const ALBERT_XXLARGE: EncoderConfig =
    EncoderConfig { hidden_size: 4096, heads: 64, intermediate_size: 16384, ..ALBERT };

/// microsoft/mpnet-base.
pub const MPNET: EncoderConfig = EncoderConfig {
    kind: EncoderKind::Mpnet,
    vocab_size: 30527,
    max_positions: 514,
    token_types: 0,
    layer_norm_eps: 1e-5,
    pad_token_id: 1,
    relative_buckets: 32,
    ..BERT
};

/// microsoft/deberta-v3-base; its terms of attention are those of [`deberta_v3`].
pub const DEBERTA: EncoderConfig = EncoderConfig {
    kind: EncoderKind::DebertaV2,
    vocab_size: 128_100,
    token_types: 0,
    layer_norm_eps: 1e-7,
    ..BERT
};

/// The attention of microsoft/deberta-v3-base.
pub fn deberta_v3() -> Disentangled {
    Disentangled {
        span: 256,
        buckets: Some(256),
        max_distance: 512,
        terms: vec![PositionTerm::PositionToContent, PositionTerm::ContentToPosition],
        projection: PlaceProjection::Shared,
        normalizes_places: true,
        adds_positions: false,
    }
}
