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
}

impl EncoderKind {
    /// What transformers calls the encoder within its own models.
    pub fn base(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::DistilBert => "distilbert",
        }
    }

    /// A class of this family.
    pub(crate) fn class(self, part: &str) -> String {
        match self {
            Self::Bert => format!("Bert{part}"),
            Self::Roberta => format!("Roberta{part}"),
            Self::DistilBert => format!("DistilBert{part}"),
        }
    }

    pub(crate) fn model_class(self) -> &'static str {
        match self {
            Self::Bert => "BertModel",
            Self::Roberta => "RobertaModel",
            Self::DistilBert => "DistilBertModel",
        }
    }

    /// The module that holds the layers.
    pub(crate) fn stack(self) -> &'static str {
        match self {
            Self::DistilBert => "transformer",
            Self::Bert | Self::Roberta => "encoder",
        }
    }

    pub(crate) fn stack_class(self) -> &'static str {
        match self {
            Self::Bert => "BertEncoder",
            Self::Roberta => "RobertaEncoder",
            Self::DistilBert => "Transformer",
        }
    }
}
