//! Sizes of the encoder, which both models share.

use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::nn::{self, Activation, ActivationKind, Linear, Module, Sequential};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

/// Sizes of the encoder.
#[derive(Config, Clone, Debug)]
pub struct EncoderShape {
    /// Shape of one input: channels, height and width, or any other.
    #[config(default = vec![3, 32, 32], range = 1..)]
    pub image_shape: Vec<i64>,
    /// Width of the hidden layer.
    #[config(default = 128, range = 1..)]
    pub hidden_dim: i64,
    /// Width of the representation.
    #[config(default = 100, range = 1..)]
    pub latent_dim: i64,
}

impl EncoderShape {
    /// Numbers in one input.
    ///
    /// # Errors
    /// The shape is empty or too large to count.
    pub fn pixels(&self) -> Result<i64> {
        let product = self.image_shape.iter().try_fold(1_i64, |product, size| product.checked_mul(*size));
        let product = product.filter(|_| !self.image_shape.is_empty());
        product.ok_or_else(|| {
            Error::of(
                ErrorKind::Config,
                format_args!("image_shape is {:?}, expected such as [3, 32, 32]", self.image_shape),
            )
        })
    }

    /// Linear, ReLU, linear: what encoder and decoder are.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn layers(&self, path: &nn::Path, from: i64, to: i64) -> Result<Sequential> {
        Sequential::new(path, |layers| {
            layers.push(|path| Linear::new(path, from, self.hidden_dim))?;
            layers.push(|path| Activation::new(path, ActivationKind::ReLU))?;
            layers.push(|path| Linear::new(path, self.hidden_dim, to))
        })
    }

    /// Inputs to their representation, `[N, latent_dim]`.
    ///
    /// # Errors
    /// Inputs of another shape.
    pub fn encode(&self, encoder: &Sequential, inputs: &Tensor) -> Result<Tensor> {
        let flat = inputs.f_flatten(1, -1)?;
        let expected = self.pixels()?;
        if flat.size().get(1) == Some(&expected) {
            return encoder.forward(&flat);
        }
        let error = Error::new(format_args!(
            "an input has shape {:?}, the model is for {:?}",
            &inputs.size()[1..],
            self.image_shape
        ));
        Err(error.help("set `image_shape` to the data's shape, or `image_size` in [data] to the model's"))
    }

    /// What the data is prepared to, where it is square pictures.
    pub fn input_defaults(&self) -> InputDefaults {
        let image_size = match self.image_shape[..] {
            [_, height, width] if height == width => usize::try_from(width).ok(),
            _ => None,
        };
        InputDefaults { image_size, ..InputDefaults::default() }
    }
}
