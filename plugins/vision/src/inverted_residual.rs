//! The inverted residual block (Sandler et al., "MobileNetV2"): expansion, depthwise convolution, projection.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use crate::conv_norm_activation::{Conv2dNormActivation, ConvShape, Norm};
use crate::squeeze_excitation::{Squeeze, SqueezeExcitation};

/// Sizes of one block.
#[derive(Clone, Copy, Debug)]
pub struct BlockShape {
    /// Channels that go in.
    pub input: i64,
    /// Channels inside; the block has no expansion where they are those that go in.
    pub expanded: i64,
    /// Channels that come out.
    pub output: i64,
    /// Side of the depthwise convolution's window.
    pub kernel: i64,
    /// Its stride.
    pub stride: i64,
}

/// What the layers of a block are.
#[derive(Clone, Copy, Debug)]
pub struct BlockLayers {
    /// The block's class name in torchvision.
    pub class: &'static str,
    /// Constants of the batch norms.
    pub norm: Norm,
    /// Activation after expansion and depthwise convolution.
    pub activation: nn::ActivationKind,
    /// Squeeze-and-excitation before the projection.
    pub squeeze: Option<Squeeze>,
    /// Probability of dropping the block's branch for a sample, in a module `stochastic_depth`; none is no
    /// such module.
    pub stochastic_depth: Option<f64>,
}

/// A block; the input is added where the shape stays the same.
pub struct InvertedResidual {
    branch: nn::Sequential,
    stochastic_depth: Option<nn::StochasticDepth>,
    is_residual: bool,
}

impl InvertedResidual {
    /// A block whose branch is the sequence `block`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, shape: BlockShape, layers: BlockLayers) -> Result<Self> {
        path.module(layers.class)?;
        let branch = nn::Sequential::new(&(path / "block"), |block| {
            expand(block, shape, layers.norm, layers.activation)?;
            if let Some(squeeze) = layers.squeeze {
                block.push(|path| SqueezeExcitation::new(path, shape.expanded, squeeze))?;
            }
            let projection = ConvShape::pointwise(shape.expanded, shape.output);
            block.push(|path| Conv2dNormActivation::new(path, projection, layers.norm, None))
        })?;
        let stochastic_depth =
            layers.stochastic_depth.map(|drop| nn::StochasticDepth::new(&(path / "stochastic_depth"), drop));
        Ok(Self { stochastic_depth: stochastic_depth.transpose()?, ..Self::around(branch, shape) })
    }

    /// A block of this shape around a branch that is built already.
    pub fn around(branch: nn::Sequential, shape: BlockShape) -> Self {
        Self { branch, stochastic_depth: None, is_residual: shape.stride == 1 && shape.input == shape.output }
    }
}

/// Appends the expansion, where there is one, and the depthwise convolution.
///
/// # Errors
/// Sizes that libtorch refuses.
pub fn expand(
    block: &mut nn::SequentialBuilder<'_>,
    shape: BlockShape,
    norm: Norm,
    activation: nn::ActivationKind,
) -> Result<()> {
    if shape.expanded != shape.input {
        let expansion = ConvShape::pointwise(shape.input, shape.expanded);
        block.push(|path| Conv2dNormActivation::new(path, expansion, norm, Some(activation)))?;
    }
    let depthwise = ConvShape::depthwise(shape.expanded, shape.kernel, shape.stride);
    block.push(|path| Conv2dNormActivation::new(path, depthwise, norm, Some(activation)))
}

impl nn::Module for InvertedResidual {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let output = self.branch.forward(input)?;
        if !self.is_residual {
            return Ok(output);
        }
        let kept = match &self.stochastic_depth {
            Some(stochastic_depth) => stochastic_depth.forward(&output)?,
            None => output,
        };
        Ok(kept.f_add(input)?)
    }
}
