//! The residual blocks of ResNet.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use crate::conv_norm_activation::convolution;

/// A 3×3 convolution that is not the block's last one has its stride.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKind {
    /// Two convolutions 3×3.
    Basic,
    /// Convolutions 1×1, 3×3, 1×1; the stride is the second one's.
    Bottleneck,
}

impl BlockKind {
    /// Channels that come out, in `planes`.
    pub fn expansion(self) -> i64 {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Basic => "BasicBlock",
            Self::Bottleneck => "Bottleneck",
        }
    }
}

/// Sizes of one block.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    /// Channels that go in.
    pub input: i64,
    /// Channels that come out are `planes` times the kind's expansion.
    pub planes: i64,
    /// Stride of the block.
    pub stride: i64,
    /// Distance of a window's pixels in a bottleneck.
    pub dilation: i64,
    /// Groups of a bottleneck's 3×3 convolution.
    pub groups: i64,
    /// Channels of such a group where `planes` is 64.
    pub width_per_group: i64,
    /// Whether the last batch norm's weight starts at 0.
    pub zero_init: bool,
}

/// A residual block: convolutions each with a batch norm, and the input added before the last ReLU.
pub struct Block {
    layers: Vec<(nn::Conv2d, nn::BatchNorm2d)>,
    downsample: Option<nn::Sequential>,
}

impl Block {
    /// A block of this shape.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, kind: BlockKind, shape: BlockShape) -> Result<Self> {
        path.module(kind.class())?;
        let BlockShape { input, planes, stride, .. } = shape;
        let output = planes * kind.expansion();
        let layer = |number: usize, input, output, kernel, options| -> Result<_> {
            let conv = convolution(&(path / format_args!("conv{number}")), input, output, kernel, options)?;
            Ok((conv, nn::BatchNorm2d::new(&(path / format_args!("bn{number}")), output)?))
        };
        let pointwise = |stride| nn::Conv2dOptions { stride, ..Default::default() };
        let window = |stride, dilation, groups| nn::Conv2dOptions {
            stride,
            padding: dilation,
            dilation,
            groups,
            ..Default::default()
        };
        let relu = || nn::Activation::new(&(path / "relu"), nn::ActivationKind::ReLU);
        let layers = match kind {
            BlockKind::Basic => {
                let first = layer(1, input, planes, 3, window(stride, 1, 1))?;
                relu()?;
                vec![first, layer(2, planes, planes, 3, window(1, 1, 1))?]
            }
            BlockKind::Bottleneck => {
                let middle = planes * shape.width_per_group / 64 * shape.groups;
                let layers = vec![
                    layer(1, input, middle, 1, pointwise(1))?,
                    layer(2, middle, middle, 3, window(stride, shape.dilation, shape.groups))?,
                    layer(3, middle, output, 1, pointwise(1))?,
                ];
                relu()?;
                layers
            }
        };
        if let Some((_, norm)) = layers.last().filter(|_| shape.zero_init) {
            let _ = tch::no_grad(|| norm.weight().shallow_clone().f_zero_())?;
        }
        let downsample = (stride != 1 || input != output).then(|| {
            nn::Sequential::new(&(path / "downsample"), |downsample| {
                downsample.push(|path| convolution(path, input, output, 1, pointwise(stride)))?;
                downsample.push(|path| nn::BatchNorm2d::new(path, output))
            })
        });
        Ok(Self { layers, downsample: downsample.transpose()? })
    }
}

impl nn::Module for Block {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let mut output = input.shallow_clone();
        for (index, (conv, norm)) in self.layers.iter().enumerate() {
            if index > 0 {
                output = nn::ActivationKind::ReLU.apply_in_place(output)?;
            }
            output = norm.forward(&conv.forward(&output)?)?;
        }
        output = match &self.downsample {
            Some(downsample) => output.f_add_(&downsample.forward(input)?)?,
            None => output.f_add_(input)?,
        };
        nn::ActivationKind::ReLU.apply_in_place(output)
    }
}
