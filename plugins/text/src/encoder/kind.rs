//! The families and what their modules are called.

/// A family of encoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncoderKind {
    /// BERT, and MiniLM.
    Bert,
    /// RoBERTa: BERT's layers, positions that start behind the padding id.
    Roberta,
    /// DistilBERT: no token types, no pooler, no dropout after attention.
    DistilBert,
    /// ELECTRA: BERT's layers over embeddings that may be narrower, no pooler.
    Electra,
    /// ALBERT: groups of layers that run several times, over narrower embeddings.
    Albert,
    /// MPNet: positions as RoBERTa's, and a learned bias for the distance of two tokens.
    Mpnet,
    /// DeBERTa-v2 and -v3: attention of content and position apart.
    DebertaV2,
}

impl EncoderKind {
    /// What transformers calls the encoder within its own models.
    pub fn base(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::DistilBert => "distilbert",
            Self::Electra => "electra",
            Self::Albert => "albert",
            Self::Mpnet => "mpnet",
            Self::DebertaV2 => "deberta",
        }
    }

    /// The family, for people; transformers' classes begin so.
    pub fn family(self) -> &'static str {
        match self {
            Self::Bert => "Bert",
            Self::Roberta => "Roberta",
            Self::DistilBert => "DistilBert",
            Self::Electra => "Electra",
            Self::Albert => "Albert",
            Self::Mpnet => "MPNet",
            Self::DebertaV2 => "DebertaV2",
        }
    }

    /// Whether transformers' encoder may have a pooler.
    pub fn can_pool(self) -> bool {
        matches!(self, Self::Bert | Self::Roberta | Self::Albert | Self::Mpnet)
    }

    /// Whether positions are counted from behind the padding id, which padding itself keeps.
    pub fn counts_from_padding(self) -> bool {
        matches!(self, Self::Roberta | Self::Mpnet)
    }

    /// A class of this family.
    pub(crate) fn class(self, part: &str) -> String {
        format!("{}{part}", self.family())
    }

    /// The module that holds the layers.
    pub(crate) fn stack(self) -> &'static str {
        if self == Self::DistilBert { "transformer" } else { "encoder" }
    }

    pub(crate) fn stack_class(self) -> String {
        match self {
            Self::DistilBert => "Transformer".to_owned(),
            Self::Albert => self.class("Transformer"),
            _ => self.class("Encoder"),
        }
    }

    /// The list of layers, or of groups of layers, within that module.
    pub(crate) fn list(self) -> &'static str {
        if self == Self::Albert { "albert_layer_groups" } else { "layer" }
    }
}
