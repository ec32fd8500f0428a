//! From the pooled vector to logits.

use thaw_plugin_api::nn::{self, Dropout, Linear, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use crate::config::Layout;
use crate::encoder::{EncoderConfig, EncoderKind, HiddenActivation, linear};

/// A head: `[N, hidden]` to `[N, classes]`.
pub(super) struct Head {
    layers: Layers,
    modules: &'static [&'static str],
}

/// The layers that the layouts have.
enum Layers {
    /// One linear layer, in most layouts after dropout.
    Linear { dropout: Option<Dropout>, linear: Linear },
    /// RoBERTa's and its kin's: dropout, a layer with an activation, dropout, a layer.
    Dense { dropout: Dropout, dense: Linear, activation: HiddenActivation, out_proj: Linear },
    /// DeBERTa's: dropout, a layer with an activation, another dropout, a layer.
    ContextPooler {
        pooler_dropout: Dropout,
        dense: Linear,
        activation: HiddenActivation,
        dropout: Dropout,
        classifier: Linear,
    },
    /// DistilBERT's: a layer with ReLU, dropout, a layer.
    PreClassifier { pre_classifier: Linear, dropout: Dropout, classifier: Linear },
}

impl Head {
    /// The head of a layout, in its order of modules.
    pub(super) fn new(
        root: &nn::Path,
        layout: Layout,
        sizes: &EncoderConfig,
        rate: f64,
        classes: i64,
    ) -> Result<Self> {
        let EncoderConfig { hidden_size, initializer_range: std, .. } = *sizes;
        let dropout = |path: &nn::Path| Dropout::new(&(path / "dropout"), rate);
        let to_logits = |path: nn::Path| linear(&path, hidden_size, classes, std);
        Ok(match (layout, sizes.kind) {
            (Layout::BackboneHead, _) => Self {
                layers: Layers::Linear { dropout: Some(dropout(root)?), linear: to_logits(root / "head")? },
                modules: &["dropout", "head"],
            },
            (Layout::Mnli, _) => Self {
                // PyTorch's own initial values, as the guide's `nn.Linear`.
                layers: Layers::Linear {
                    dropout: None,
                    linear: Linear::new(&(root / "W"), hidden_size, classes)?,
                },
                modules: &["W"],
            },
            (Layout::SequenceClassification, EncoderKind::Bert | EncoderKind::Albert) => Self {
                layers: Layers::Linear {
                    dropout: Some(dropout(root)?),
                    linear: to_logits(root / "classifier")?,
                },
                modules: &["dropout", "classifier"],
            },
            (
                Layout::SequenceClassification,
                kind @ (EncoderKind::Roberta | EncoderKind::Electra | EncoderKind::Mpnet),
            ) => Self::dense(root, kind, sizes, rate, classes)?,
            (Layout::SequenceClassification, EncoderKind::DebertaV2) => {
                Self::context_pooler(root, sizes, rate, classes)?
            }
            (Layout::SequenceClassification, EncoderKind::DistilBert) => {
                let pre_classifier = linear(&(root / "pre_classifier"), hidden_size, hidden_size, std)?;
                let classifier = to_logits(root / "classifier")?;
                let layers = Layers::PreClassifier { pre_classifier, classifier, dropout: dropout(root)? };
                Self { layers, modules: &["pre_classifier", "classifier", "dropout"] }
            }
        })
    }

    /// The head of RoBERTa, ELECTRA and MPNet.
    fn dense(
        root: &nn::Path,
        kind: EncoderKind,
        sizes: &EncoderConfig,
        rate: f64,
        classes: i64,
    ) -> Result<Self> {
        let EncoderConfig { hidden_size, initializer_range: std, .. } = *sizes;
        let path = root / "classifier";
        path.module(&kind.class("ClassificationHead"))?;
        let dense = linear(&(&path / "dense"), hidden_size, hidden_size, std)?;
        let activation = if kind == EncoderKind::Electra {
            HiddenActivation::GELU.register(&(&path / "activation"))?;
            HiddenActivation::GELU
        } else {
            HiddenActivation::TANH
        };
        let dropout = Dropout::new(&(&path / "dropout"), rate)?;
        let out_proj = linear(&(&path / "out_proj"), hidden_size, classes, std)?;
        let layers = Layers::Dense { dropout, dense, activation, out_proj };
        Ok(Self { layers, modules: &["classifier"] })
    }

    /// DeBERTa's head.
    fn context_pooler(root: &nn::Path, sizes: &EncoderConfig, rate: f64, classes: i64) -> Result<Self> {
        let EncoderConfig { hidden_size, initializer_range: std, .. } = *sizes;
        let path = root / "pooler";
        path.module("ContextPooler")?;
        let dense = linear(&(&path / "dense"), hidden_size, hidden_size, std)?;
        let pooler_dropout = Dropout::new(&(&path / "dropout"), sizes.pooler_dropout)?;
        let classifier = linear(&(root / "classifier"), hidden_size, classes, std)?;
        let dropout = Dropout::new(&(root / "dropout"), rate)?;
        let activation = sizes.pooler_activation;
        let layers = Layers::ContextPooler { pooler_dropout, dense, activation, dropout, classifier };
        Ok(Self { layers, modules: &["pooler", "classifier", "dropout"] })
    }

    /// Paths of the head's top modules.
    pub(super) fn modules(&self) -> &'static [&'static str] {
        self.modules
    }
}

impl Module for Head {
    fn forward(&self, pooled: &Tensor) -> Result<Tensor> {
        match &self.layers {
            Layers::Linear { dropout: None, linear } => linear.forward(pooled),
            Layers::Linear { dropout: Some(dropout), linear } => linear.forward(&dropout.forward(pooled)?),
            Layers::Dense { dropout, dense, activation, out_proj } => {
                let between = activation.apply(&dense.forward(&dropout.forward(pooled)?)?)?;
                out_proj.forward(&dropout.forward(&between)?)
            }
            Layers::ContextPooler { pooler_dropout, dense, activation, dropout, classifier } => {
                let between = activation.apply(&dense.forward(&pooler_dropout.forward(pooled)?)?)?;
                classifier.forward(&dropout.forward(&between)?)
            }
            Layers::PreClassifier { pre_classifier, dropout, classifier } => {
                let between = pre_classifier.forward(pooled)?.f_relu()?;
                classifier.forward(&dropout.forward(&between)?)
            }
        }
    }
}
