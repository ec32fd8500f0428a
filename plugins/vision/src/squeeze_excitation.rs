//! Squeeze-and-excitation (Hu et al.): torchvision's `SqueezeExcitation`.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

/// What a squeeze-and-excitation is made of.
#[derive(Clone, Copy, Debug)]
pub struct Squeeze {
    /// Channels in its middle.
    pub channels: i64,
    /// Activation in its middle.
    pub activation: nn::ActivationKind,
    /// What makes the factors.
    pub scale: nn::ActivationKind,
}

/// Scales every channel by a factor that depends on the averages of all.
pub struct SqueezeExcitation {
    average: nn::AdaptiveAvgPool2d,
    fc1: nn::Conv2d,
    fc2: nn::Conv2d,
    squeeze: Squeeze,
}

impl SqueezeExcitation {
    /// Over so many channels.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, channels: i64, squeeze: Squeeze) -> Result<Self> {
        path.module("SqueezeExcitation")?;
        let layer = |name: &str, input: i64, output: i64| {
            let weight = nn::init::kaiming_normal_fan_out(&[output, input, 1, 1])?;
            nn::Conv2d::with_values(
                &(path / name),
                weight,
                Some(nn::init::zeros(&[output])?),
                nn::Conv2dOptions::default(),
            )
        };
        let average = nn::AdaptiveAvgPool2d::new(&(path / "avgpool"), 1)?;
        let fc1 = layer("fc1", channels, squeeze.channels)?;
        let fc2 = layer("fc2", squeeze.channels, channels)?;
        nn::Activation::new(&(path / "activation"), squeeze.activation)?;
        nn::Activation::new(&(path / "scale_activation"), squeeze.scale)?;
        Ok(Self { average, fc1, fc2, squeeze })
    }
}

impl nn::Module for SqueezeExcitation {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let squeezed =
            self.squeeze.activation.apply_in_place(self.fc1.forward(&self.average.forward(input)?)?)?;
        let factors = self.squeeze.scale.apply(&self.fc2.forward(&squeezed)?)?;
        Ok(factors.f_mul(input)?)
    }
}
