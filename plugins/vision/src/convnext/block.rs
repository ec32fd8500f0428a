//! The layers of ConvNeXt.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use super::initial_weight;

const EPS: f64 = 1e-6;

/// `[N, C, H, W]` to `[N, H, W, C]`, and back.
const CHANNELS_LAST: [i64; 4] = [0, 2, 3, 1];
const CHANNELS_FIRST: [i64; 4] = [0, 3, 1, 2];

/// A convolution whose square windows lie side by side.
///
/// # Errors
/// Sizes that libtorch refuses.
pub fn convolution(path: &nn::Path, input: i64, output: i64, kernel: i64) -> Result<nn::Conv2d> {
    let options = nn::Conv2dOptions { stride: kernel, ..Default::default() };
    nn::Conv2d::with_values(
        path,
        initial_weight(&[output, input, kernel, kernel])?,
        Some(nn::init::zeros(&[output])?),
        options,
    )
}

/// Layer norm over the channels of pictures, as torchvision's `LayerNorm2d`.
pub struct LayerNorm2d(nn::LayerNorm);

impl LayerNorm2d {
    /// Over so many channels.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, channels: i64) -> Result<Self> {
        Ok(Self(nn::LayerNorm::of_kind(path, "LayerNorm2d", channels, EPS)?))
    }
}

impl nn::Module for LayerNorm2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(&input.f_permute(CHANNELS_LAST)?)?.f_permute(CHANNELS_FIRST)?)
    }
}

/// torchvision's `Permute`.
struct Permute([i64; 4]);

impl Permute {
    fn new(path: &nn::Path, dimensions: [i64; 4]) -> Result<Self> {
        path.module("Permute")?;
        Ok(Self(dimensions))
    }
}

impl nn::Module for Permute {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_permute(self.0)?)
    }
}

/// A block: depthwise convolution, layer norm, two linear layers with a GELU between them; a scale per
/// channel; the input is added.
pub struct Block {
    branch: nn::Sequential,
    /// `[C, 1, 1]`
    layer_scale: Tensor,
    stochastic_depth: nn::StochasticDepth,
}

impl Block {
    /// Over so many channels. Its branch is dropped with the probability `drop`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, channels: i64, drop: f64) -> Result<Self> {
        let module = path.module("CNBlock")?;
        let layer_scale = module.parameter("layer_scale", nn::init::constant(&[channels, 1, 1], 1e-6)?)?;
        let linear = |path: &nn::Path, input: i64, output: i64| {
            nn::Linear::with_values(
                path,
                initial_weight(&[output, input])?,
                Some(nn::init::zeros(&[output])?),
            )
        };
        let branch = nn::Sequential::new(&(path / "block"), |block| {
            block.push(|path| {
                let options = nn::Conv2dOptions { padding: 3, groups: channels, ..Default::default() };
                nn::Conv2d::with_values(
                    path,
                    initial_weight(&[channels, 1, 7, 7])?,
                    Some(nn::init::zeros(&[channels])?),
                    options,
                )
            })?;
            block.push(|path| Permute::new(path, CHANNELS_LAST))?;
            block.push(|path| nn::LayerNorm::new(path, channels, EPS))?;
            block.push(|path| linear(path, channels, 4 * channels))?;
            block.push(|path| nn::Activation::new(path, nn::ActivationKind::GELU))?;
            block.push(|path| linear(path, 4 * channels, channels))?;
            block.push(|path| Permute::new(path, CHANNELS_FIRST))
        })?;
        let stochastic_depth = nn::StochasticDepth::new(&(path / "stochastic_depth"), drop)?;
        Ok(Self { branch, layer_scale, stochastic_depth })
    }
}

impl nn::Module for Block {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let scaled = self.branch.forward(input)?.f_mul(&self.layer_scale)?;
        Ok(self.stochastic_depth.forward(&scaled)?.f_add(input)?)
    }
}
