//! Convolution, batch norm, activation: torchvision's `Conv2dNormActivation`.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

/// A convolution without bias, with torchvision's initial values.
///
/// # Errors
/// Sizes that libtorch refuses.
pub fn convolution(
    path: &nn::Path,
    input: i64,
    output: i64,
    kernel: i64,
    options: nn::Conv2dOptions,
) -> Result<nn::Conv2d> {
    let weight = nn::init::kaiming_normal_fan_out(&[output, input / options.groups, kernel, kernel])?;
    nn::Conv2d::with_values(path, weight, None, options)
}

/// The sizes of a convolution; its padding keeps the size of the picture where the stride is 1.
#[derive(Clone, Copy, Debug)]
pub struct ConvShape {
    /// Channels that go in.
    pub input: i64,
    /// Channels that come out.
    pub output: i64,
    /// Side of the square window, odd.
    pub kernel: i64,
    /// Step between windows.
    pub stride: i64,
    /// Groups of channels that are convolved apart.
    pub groups: i64,
}

impl ConvShape {
    /// A 1×1 convolution.
    pub fn pointwise(input: i64, output: i64) -> Self {
        Self { input, output, kernel: 1, stride: 1, groups: 1 }
    }

    /// A convolution of each channel alone.
    pub fn depthwise(channels: i64, kernel: i64, stride: i64) -> Self {
        Self { input: channels, output: channels, kernel, stride, groups: channels }
    }
}

/// The constants of batch norms.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    eps: f64,
    momentum: f64,
}

impl Norm {
    /// PyTorch's defaults.
    pub const PYTORCH: Self = Self { eps: 1e-5, momentum: 0.1 };
    /// Those of models that were first trained in TensorFlow.
    pub const TENSORFLOW: Self = Self { eps: 1e-3, momentum: 0.01 };

    /// Whether they are other constants than PyTorch's defaults.
    pub fn differs_from_pytorchs(self) -> bool {
        self.eps != Self::PYTORCH.eps
    }

    /// With another constant in the square root, where there is one.
    pub fn with_eps(self, eps: Option<f64>) -> Self {
        Self { eps: eps.unwrap_or(self.eps), ..self }
    }

    /// A batch norm with these constants.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn layer(self, path: &nn::Path, channels: i64) -> Result<nn::BatchNorm2d> {
        nn::BatchNorm2d::with(path, channels, self.eps, self.momentum)
    }
}

/// Convolution `0`, batch norm `1`, and the activation `2` where there is one.
pub struct Conv2dNormActivation {
    convolution: nn::Conv2d,
    norm: nn::BatchNorm2d,
    activation: Option<nn::ActivationKind>,
}

impl Conv2dNormActivation {
    /// Registers the three.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(
        path: &nn::Path,
        shape: ConvShape,
        norm: Norm,
        activation: Option<nn::ActivationKind>,
    ) -> Result<Self> {
        path.module("Conv2dNormActivation")?.iterable();
        let ConvShape { input, output, kernel, stride, groups } = shape;
        let options = nn::Conv2dOptions { stride, padding: kernel / 2, groups, ..Default::default() };
        let convolution = convolution(&(path / 0), input, output, kernel, options)?;
        let norm = norm.layer(&(path / 1), output)?;
        if let Some(kind) = activation {
            nn::Activation::new(&(path / 2), kind)?;
        }
        Ok(Self { convolution, norm, activation })
    }
}

impl nn::Module for Conv2dNormActivation {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let output = self.norm.forward(&self.convolution.forward(input)?)?;
        match self.activation {
            Some(kind) => kind.apply_in_place(output),
            None => Ok(output),
        }
    }
}
