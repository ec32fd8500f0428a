//! The models: an encoder, a pooling, a head.

mod forward;
mod head;
mod layout;
mod options;
mod pretrained;
pub(crate) mod usual;

use head::Head;
use layout::{class_of, has_pooler, layout_of, pooling_of};
pub use options::{AlbertConfig, BertConfig, DebertaConfig, DistilBertConfig, ElectraConfig, MpnetConfig};
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::nn;
use thaw_plugin_api::prelude::*;

use usual::{ALBERT, ALBERT_XXLARGE, BERT, DEBERTA, DISTIL_BERT, ELECTRA, MINILM, MPNET, ROBERTA};

use crate::config::{ClassifierConfig, HubConfig, Layout, Pooling, SizeError};
use crate::encoder::{Encoder, EncoderConfig};

/// An encoder with a pooling and a head: what all models here are.
pub struct TextClassifier {
    encoder: Encoder,
    /// Path of the encoder.
    base: &'static str,
    pooling: Pooling,
    /// None where the pooled vector is the output.
    head: Option<Head>,
    normalize: bool,
    output_attentions: bool,
    output_last_hidden_state: bool,
    num_classes: i64,
    /// Of the `config.json`, in the order of its head's outputs.
    class_names: Vec<String>,
}

/// Which models there are for the `model_type` of a `config.json`.
const MODELS: [(&str, &[&str]); 7] = [
    (BertClassifier::ID, BertClassifier::OTHER_NAMES),
    (DistilBertClassifier::ID, DistilBertClassifier::OTHER_NAMES),
    (RobertaClassifier::ID, RobertaClassifier::OTHER_NAMES),
    (ElectraClassifier::ID, ElectraClassifier::OTHER_NAMES),
    (AlbertClassifier::ID, AlbertClassifier::OTHER_NAMES),
    (MpnetClassifier::ID, MpnetClassifier::OTHER_NAMES),
    (DebertaClassifier::ID, DebertaClassifier::OTHER_NAMES),
];

impl TextClassifier {
    fn new(
        root: &nn::Path,
        config: &ClassifierConfig,
        families: &[&str],
        pooling: Pooling,
        resolve: impl FnOnce(&HubConfig) -> Result<(EncoderConfig, f64), SizeError>,
    ) -> Result<Self> {
        let hub = match &config.config {
            Some(path) => HubConfig::read(path, families, &MODELS).map_err(SizeError::into_config_error)?,
            None => HubConfig::default(),
        };
        let (mut sizes, dropout) = resolve(&hub).map_err(SizeError::into_config_error)?;
        let layout = layout_of(config, &hub);
        let pooling =
            pooling_of(config, layout, sizes.kind, pooling).map_err(SizeError::into_config_error)?;
        sizes.pooler =
            has_pooler(config, layout, sizes.kind, pooling).map_err(SizeError::into_config_error)?;
        let num_classes = config.num_classes.or(hub.num_labels()).unwrap_or(2);
        root.module(&class_of(layout, sizes.kind))?;
        let base = match layout {
            Layout::BackboneHead => "backbone",
            Layout::SequenceClassification => sizes.kind.base(),
            Layout::Mnli => "bert",
        };
        let encoder = Encoder::new(&(root / base), &sizes)?;
        if config.freeze_features {
            (root / base).freeze()?;
        }
        let head = match num_classes {
            0 => None,
            classes => Some(Head::new(root, layout, &sizes, dropout, classes)?),
        };
        Ok(Self {
            encoder,
            base,
            pooling,
            head,
            normalize: config.normalize,
            output_attentions: config.output_attentions,
            output_last_hidden_state: config.output_last_hidden_state,
            num_classes,
            class_names: hub.class_names().map_err(SizeError::into_config_error)?,
        })
    }

    fn of_bert(
        root: &nn::Path,
        config: &BertConfig,
        families: &[&str],
        pooling: Pooling,
        usual: &EncoderConfig,
    ) -> Result<Self> {
        Self::new(root, &config.classifier, families, pooling, |hub| {
            let sizes = config.sizes.resolve(hub, usual)?;
            let dropout = hub.fraction(
                "classifier_dropout",
                config.classifier.classifier_dropout,
                sizes.hidden_dropout,
            )?;
            Ok((sizes, dropout))
        })
    }

    fn of_distil_bert(root: &nn::Path, config: &DistilBertConfig) -> Result<Self> {
        Self::new(root, &config.classifier, DistilBertClassifier::OTHER_NAMES, Pooling::Cls, |hub| {
            let given = config.classifier.classifier_dropout.or(config.sizes.seq_classif_dropout);
            Ok((config.sizes.resolve(hub, &DISTIL_BERT)?, hub.fraction("seq_classif_dropout", given, 0.2)?))
        })
    }

    fn of_electra(root: &nn::Path, config: &ElectraConfig) -> Result<Self> {
        Self::new(root, &config.classifier, ElectraClassifier::OTHER_NAMES, Pooling::Cls, |hub| {
            let sizes = config.sizes.resolve(hub, &ELECTRA)?;
            let given = config.classifier.classifier_dropout;
            let dropout = hub.fraction("classifier_dropout", given, sizes.hidden_dropout)?;
            Ok((sizes, dropout))
        })
    }

    fn of_albert(root: &nn::Path, config: &AlbertConfig) -> Result<Self> {
        Self::new(root, &config.classifier, AlbertClassifier::OTHER_NAMES, Pooling::Cls, |hub| {
            // What a file leaves out is what transformers' class has.
            let usual = if hub.is_given() { &ALBERT_XXLARGE } else { &ALBERT };
            let given = config.classifier.classifier_dropout;
            let dropout = hub.fraction("classifier_dropout_prob", given, 0.1)?;
            Ok((config.sizes.resolve(hub, usual)?, dropout))
        })
    }

    fn of_mpnet(root: &nn::Path, config: &MpnetConfig) -> Result<Self> {
        Self::new(root, &config.classifier, MpnetClassifier::OTHER_NAMES, Pooling::Cls, |hub| {
            let sizes = config.sizes.resolve(hub, &MPNET)?;
            let dropout = config.classifier.classifier_dropout.unwrap_or(sizes.hidden_dropout);
            Ok((sizes, dropout))
        })
    }

    fn of_deberta(root: &nn::Path, config: &DebertaConfig) -> Result<Self> {
        Self::new(root, &config.classifier, DebertaClassifier::OTHER_NAMES, Pooling::Cls, |hub| {
            let sizes = config.sizes.resolve(hub, &DEBERTA)?;
            let given = config.classifier.classifier_dropout;
            let dropout = hub.fraction("cls_dropout", given, sizes.hidden_dropout)?;
            Ok((sizes, dropout))
        })
    }

    fn task(&self) -> Task {
        if self.num_classes == 1 { Task::Regression } else { Task::Classification }
    }

    /// None where the output is no class.
    fn num_classes(&self) -> Option<i64> {
        (self.num_classes > 1).then_some(self.num_classes)
    }

    /// None for a head of another size than the `config.json` names.
    fn class_names(&self) -> Vec<String> {
        let fits = i64::try_from(self.class_names.len()) == Ok(self.num_classes) && self.num_classes > 1;
        if fits { self.class_names.clone() } else { Vec::new() }
    }

    fn input_defaults(&self) -> InputDefaults {
        let longest = usize::try_from(self.encoder.config().longest()).ok();
        InputDefaults { max_length: longest, ..InputDefaults::default() }
    }
}

macro_rules! classifiers {
    ($($(#[$doc:meta])* $name:ident, $id:literal, $types:expr, $config:ty, $description:literal,
        $new:expr;)*) => {$(
        $(#[$doc])*
        pub struct $name(TextClassifier);

        impl Model for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const OTHER_NAMES: &'static [&'static str] = &$types;
            type Config = $config;

            fn new(config: $config, root: &nn::Path) -> Result<Self> {
                let new: fn(&nn::Path, &$config) -> Result<TextClassifier> = $new;
                new(root, &config).map(Self)
            }

            fn stages(&self) -> Vec<Stage> {
                self.0.stages()
            }

            fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
                self.0.run_stage(stage, inputs)
            }

            fn task(&self) -> Task {
                self.0.task()
            }

            fn num_classes(&self) -> Option<i64> {
                self.0.num_classes()
            }

            fn class_names(&self) -> Vec<String> {
                self.0.class_names()
            }

            fn input_defaults(&self) -> InputDefaults {
                self.0.input_defaults()
            }

            fn weight_aliases(&self) -> Vec<(String, String)> {
                self.0.weight_aliases()
            }

            fn weight_notes(&self) -> Vec<(String, String)> {
                self.0.weight_notes()
            }

            fn unused_weights(&self) -> Vec<String> {
                self.0.unused_weights()
            }
        }
    )*};
}

classifiers! {
    /// BERT (Devlin et al. 2018).
    BertClassifier, "bert-classifier", ["bert"], BertConfig,
        "BERT for text classification and sentence pairs",
        |root, config| TextClassifier::of_bert(root, config, Self::OTHER_NAMES, Pooling::Cls, &BERT);
    /// MiniLM (Wang et al. 2020): a small BERT, by default the one for sentence embeddings, pooled by the
    /// mean.
    MiniLmClassifier, "minilm-classifier", [], BertConfig, "MiniLM (all-MiniLM-L6-v2's sizes) for text \
                                                            classification and sentence pairs",
        |root, config| TextClassifier::of_bert(root, config, BertClassifier::OTHER_NAMES, Pooling::Mean,
            &MINILM);
    /// RoBERTa (Liu et al. 2019); XLM-RoBERTa and CamemBERT are the same with other vocabularies.
    RobertaClassifier, "roberta-classifier", ["roberta", "xlm-roberta", "camembert"], BertConfig,
        "RoBERTa for text classification and sentence pairs",
        |root, config| TextClassifier::of_bert(root, config, Self::OTHER_NAMES, Pooling::Cls, &ROBERTA);
    /// DistilBERT (Sanh et al. 2019).
    DistilBertClassifier, "distilbert-classifier", ["distilbert"], DistilBertConfig,
        "DistilBERT for text classification and sentence pairs", TextClassifier::of_distil_bert;
    /// ELECTRA (Clark et al. 2020), its discriminator.
    ElectraClassifier, "electra-classifier", ["electra"], ElectraConfig,
        "ELECTRA for text classification and sentence pairs", TextClassifier::of_electra;
    /// ALBERT (Lan et al. 2019).
    AlbertClassifier, "albert-classifier", ["albert"], AlbertConfig,
        "ALBERT for text classification and sentence pairs", TextClassifier::of_albert;
    /// MPNet (Song et al. 2020).
    MpnetClassifier, "mpnet-classifier", ["mpnet"], MpnetConfig,
        "MPNet for text classification and sentence pairs", TextClassifier::of_mpnet;
    /// DeBERTa-v2 and -v3 (He et al. 2020, 2021), which are one architecture.
    DebertaClassifier, "deberta-v2-classifier", ["deberta-v2", "deberta-v3"], DebertaConfig,
        "DeBERTa-v2 and -v3 for text classification and sentence pairs", TextClassifier::of_deberta;
}

#[cfg(test)]
mod tests;
