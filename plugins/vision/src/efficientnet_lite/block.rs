//! The inverted residual block of EfficientNet-Lite.

use tch::Tensor;
use thaw_plugin_api::nn::Module as _;
use thaw_plugin_api::prelude::*;

use super::norm;
use super::same_padding::SamePaddingConv2d;

/// Sizes of one block.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    pub input: i64,
    pub output: i64,
    pub kernel: i64,
    pub stride: i64,
    /// Factor on the channels inside.
    pub expand: i64,
    /// Whether it is the first of its group, which has no way around it.
    pub first: bool,
}

struct Layer {
    convolution: SamePaddingConv2d,
    norm: nn::BatchNorm2d,
}

impl Layer {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.norm.forward(&self.convolution.forward(input)?)
    }
}

/// Expansion, depthwise convolution, projection; the input is added where the shape stays the same.
pub struct Block {
    expand: Option<Layer>,
    depthwise: Layer,
    project: Layer,
    drop_connect: Option<nn::StochasticDepth>,
}

impl Block {
    /// A block for pictures of `size` pixels, which becomes the size of what comes out. Its branch is dropped
    /// with the probability `drop`.
    pub fn new(path: &nn::Path, shape: BlockShape, drop: f64, size: &mut i64) -> Result<Self> {
        let module = path.module("MBConvBlock")?;
        let inner = shape.input * shape.expand;
        let mut layer =
            |conv: &str, bn: &str, [input, output, kernel, stride, groups]: [i64; 5]| -> Result<_> {
                let convolution =
                    SamePaddingConv2d::new(&(path / conv), input, output, kernel, stride, groups, size)?;
                Ok(Layer { convolution, norm: norm(&(path / bn), output)? })
            };
        let expand = if shape.expand == 1 {
            None
        } else {
            Some(layer("_expand_conv", "_bn0", [shape.input, inner, 1, 1, 1])?)
        };
        let depthwise = layer("_depthwise_conv", "_bn1", [inner, inner, shape.kernel, shape.stride, inner])?;
        let project = layer("_project_conv", "_bn2", [inner, shape.output, 1, 1, 1])?;
        nn::Activation::new(&(path / "_swish"), nn::ActivationKind::ReLU6)?;
        let is_residual = !shape.first && shape.stride == 1 && shape.input == shape.output;
        let drop_connect = is_residual.then(|| nn::StochasticDepth::within(&module, drop)).transpose()?;
        Ok(Self { expand, depthwise, project, drop_connect })
    }
}

impl nn::Module for Block {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let expanded = match &self.expand {
            Some(expand) => nn::ActivationKind::ReLU6.apply_in_place(expand.forward(input)?)?,
            None => input.shallow_clone(),
        };
        let inner = nn::ActivationKind::ReLU6.apply_in_place(self.depthwise.forward(&expanded)?)?;
        let output = self.project.forward(&inner)?;
        match &self.drop_connect {
            Some(drop_connect) => Ok(drop_connect.forward(&output)?.f_add_(input)?),
            None => Ok(output),
        }
    }
}
