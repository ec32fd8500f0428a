//! The pooler of BERT's kin.

use thaw_plugin_api::nn::{self, Activation, ActivationKind, Linear, Module};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use super::{EncoderConfig, EncoderKind, linear};

/// A linear layer and tanh over the first token.
pub(super) struct Pooler {
    dense: Linear,
    activation: Activation,
}

impl Pooler {
    /// In the encoder at `encoder`: BERT's is a module with both, ALBERT has them side by side.
    pub(super) fn new(encoder: &nn::Path, config: &EncoderConfig) -> Result<Self> {
        let path = encoder / "pooler";
        let (dense, activation) = if config.kind == EncoderKind::Albert {
            (path, encoder / "pooler_activation")
        } else {
            path.module(&config.kind.class("Pooler"))?;
            (&path / "dense", &path / "activation")
        };
        let dense = linear(&dense, config.hidden_size, config.hidden_size, config.initializer_range)?;
        Ok(Self { dense, activation: Activation::new(&activation, ActivationKind::Tanh)? })
    }
}

impl Module for Pooler {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.activation.forward(&self.dense.forward(input)?)
    }
}
