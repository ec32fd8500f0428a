//! Configuration of each family: the keys of all models, and the family's sizes.

use thaw_plugin_api::prelude::*;

use crate::config::{
    AlbertSizes, BertSizes, ClassifierConfig, DebertaSizes, DistilBertSizes, ElectraSizes, MpnetSizes,
};

/// Configuration of `bert-classifier`, `roberta-classifier` and `minilm-classifier`.
#[derive(Config, Clone, Debug)]
pub struct BertConfig {
    /// Keys of all models.
    #[config(flatten)]
    pub classifier: ClassifierConfig,
    /// Sizes and rates.
    #[config(flatten)]
    pub sizes: BertSizes,
}

/// Configuration of `distilbert-classifier`.
#[derive(Config, Clone, Debug)]
pub struct DistilBertConfig {
    /// Keys of all models.
    #[config(flatten)]
    pub classifier: ClassifierConfig,
    /// Sizes and rates.
    #[config(flatten)]
    pub sizes: DistilBertSizes,
}

/// Configuration of `electra-classifier`.
#[derive(Config, Clone, Debug)]
pub struct ElectraConfig {
    /// Keys of all models.
    #[config(flatten)]
    pub classifier: ClassifierConfig,
    /// Sizes and rates.
    #[config(flatten)]
    pub sizes: ElectraSizes,
}

/// Configuration of `albert-classifier`.
#[derive(Config, Clone, Debug)]
pub struct AlbertConfig {
    /// Keys of all models.
    #[config(flatten)]
    pub classifier: ClassifierConfig,
    /// Sizes and rates.
    #[config(flatten)]
    pub sizes: AlbertSizes,
}

/// Configuration of `mpnet-classifier`.
#[derive(Config, Clone, Debug)]
pub struct MpnetConfig {
    /// Keys of all models.
    #[config(flatten)]
    pub classifier: ClassifierConfig,
    /// Sizes and rates.
    #[config(flatten)]
    pub sizes: MpnetSizes,
}

/// Configuration of `deberta-v2-classifier`.
#[derive(Config, Clone, Debug)]
pub struct DebertaConfig {
    /// Keys of all models.
    #[config(flatten)]
    pub classifier: ClassifierConfig,
    /// Sizes and rates.
    #[config(flatten)]
    pub sizes: DebertaSizes,
}
