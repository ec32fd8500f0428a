//! The auto-encoder.

use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::nn::{self, Module, Sequential};
use thaw_plugin_api::prelude::*;

use crate::EncoderShape;

/// Configuration of [`AutoEncoder`].
#[derive(Config, Clone, Debug)]
pub struct AutoEncoderConfig {
    /// Sizes.
    #[config(flatten)]
    pub shape: EncoderShape,
}

/// Two linear layers to a representation, two back: `encoder`, `decoder`. It is trained by the mean squared
/// error of its reconstruction.
///
/// Outputs: `reconstruction`, `[N, pixels]`, and `representation`, `[N, latent_dim]`.
pub struct AutoEncoder {
    shape: EncoderShape,
    encoder: Sequential,
    decoder: Sequential,
}

impl Model for AutoEncoder {
    const ID: &'static str = "autoencoder";
    const DESCRIPTION: &'static str = "An auto-encoder of linear layers, trained to reconstruct its input";
    type Config = AutoEncoderConfig;

    fn new(config: AutoEncoderConfig, root: &nn::Path) -> Result<Self> {
        root.module("AutoEncoder")?;
        let shape = config.shape;
        let pixels = shape.pixels()?;
        let encoder = shape.layers(&(root / "encoder"), pixels, shape.latent_dim)?;
        let decoder = shape.layers(&(root / "decoder"), shape.latent_dim, pixels)?;
        Ok(Self { shape, encoder, decoder })
    }

    fn stages(&self) -> Vec<Stage> {
        ["encoder", "decoder"].map(|name| Stage::new(name, [name])).into()
    }

    fn run_stage(&self, stage: &str, inputs: Tensors) -> Result<Tensors> {
        let input = inputs.first()?;
        match stage {
            "encoder" => Ok(Tensors::one("representation", self.shape.encode(&self.encoder, input)?)),
            "decoder" => {
                let reconstruction = self.decoder.forward(input)?;
                Ok(Tensors::one("reconstruction", reconstruction)
                    .with("representation", input.shallow_clone()))
            }
            _ => bail!("model `{}` has no stage `{stage}`", Self::ID),
        }
    }

    fn task(&self) -> Task {
        Task::Reconstruction
    }

    fn input_defaults(&self) -> InputDefaults {
        self.shape.input_defaults()
    }
}
