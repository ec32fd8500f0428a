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

/// Width of a bottleneck's middle.
#[derive(Clone, Copy, Debug)]
pub struct Width {
    /// Groups of the 3×3 convolution.
    pub groups: i64,
    /// Channels of a group where `planes` is 64.
    pub per_group: i64,
}

/// A residual block: convolutions each with a batch norm, and the input added before the last ReLU.
pub struct Block {
    layers: Vec<(nn::Conv2d, nn::BatchNorm2d)>,
    downsample: Option<nn::Sequential>,
}

impl Block {
    /// A block from `input` channels to `planes` times the kind's expansion.
    pub fn new(path: &nn::Path, kind: BlockKind, input: i64, planes: i64, stride: i64, width: Width) -> Result<Self> {
        path.module(kind.class())?;
        let output = planes * kind.expansion();
        let layer = |number: usize, input, output, kernel, options| -> Result<_> {
            let conv = convolution(&(path / format_args!("conv{number}")), input, output, kernel, options)?;
            Ok((conv, nn::BatchNorm2d::new(&(path / format_args!("bn{number}")), output)?))
        };
        let options = |kernel: i64, stride, groups| nn::Conv2dOptions { stride, padding: kernel / 2, groups, ..Default::default() };
        let relu = || nn::Activation::new(&(path / "relu"), nn::ActivationKind::ReLU);
        let layers = match kind {
            BlockKind::Basic => {
                let first = layer(1, input, planes, 3, options(3, stride, 1))?;
                relu()?;
                vec![first, layer(2, planes, planes, 3, options(3, 1, 1))?]
            }
            BlockKind::Bottleneck => {
                let middle = planes * width.per_group / 64 * width.groups;
                let layers = vec![
                    layer(1, input, middle, 1, options(1, 1, 1))?,
                    layer(2, middle, middle, 3, options(3, stride, width.groups))?,
                    layer(3, middle, output, 1, options(1, 1, 1))?,
                ];
                relu()?;
                layers
            }
        };
        let downsample = (stride != 1 || input != output).then(|| {
            nn::Sequential::new(&(path / "downsample"), |downsample| {
                downsample.push(|path| convolution(path, input, output, 1, options(1, stride, 1)))?;
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
