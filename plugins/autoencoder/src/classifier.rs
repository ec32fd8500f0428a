//! The classifier on an auto-encoder's encoder.

use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::nn::{self, Linear, Module, Sequential};
use thaw_plugin_api::prelude::*;

use crate::EncoderShape;

/// Configuration of [`EncoderClassifier`].
#[derive(Config, Clone, Debug)]
pub struct EncoderClassifierConfig {
    /// Sizes of the encoder: those of the auto-encoder that it comes from.
    #[config(flatten)]
    pub shape: EncoderShape,
    /// Number of classes.
    #[config(default = 10, range = 1..)]
    pub num_classes: i64,
    /// Whether the encoder starts frozen and in evaluation mode: no gradients, and none computed. A strategy
    /// can still thaw it.
    #[config(default = false)]
    pub freeze_features: bool,
}

/// A trained encoder as `feature_extractor`, and one linear layer, `classifier`. Output: `logits`, `[N,
/// num_classes]`.
pub struct EncoderClassifier {
    shape: EncoderShape,
    feature_extractor: Sequential,
    classifier: Linear,
    num_classes: i64,
}

impl Model for EncoderClassifier {
    const ID: &'static str = "autoencoder-classifier";
    const DESCRIPTION: &'static str = "A linear classifier on the encoder of an auto-encoder";
    type Config = EncoderClassifierConfig;

    fn new(config: EncoderClassifierConfig, root: &nn::Path) -> Result<Self> {
        root.module("CIFAR10Classifier")?;
        let shape = config.shape;
        let place = root / "feature_extractor";
        let feature_extractor = shape.layers(&place, shape.pixels()?, shape.latent_dim)?;
        if config.freeze_features {
            place.freeze()?;
        }
        let classifier = Linear::new(&(root / "classifier"), shape.latent_dim, config.num_classes)?;
        Ok(Self { shape, feature_extractor, classifier, num_classes: config.num_classes })
    }

    fn stages(&self) -> Vec<Stage> {
        ["feature_extractor", "classifier"].map(|name| Stage::new(name, [name])).into()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let input = inputs.first()?;
        match stage {
            "feature_extractor" => {
                Ok(Tensors::one("representation", self.shape.encode(&self.feature_extractor, input)?))
            }
            "classifier" => Ok(Tensors::one("logits", self.classifier.forward(input)?)),
            _ => bail!("model `{}` has no stage `{stage}`", Self::ID),
        }
    }

    fn num_classes(&self) -> Option<i64> {
        Some(self.num_classes)
    }

    fn input_defaults(&self) -> InputDefaults {
        self.shape.input_defaults()
    }
}
