//! ConvNeXt (Liu et al., "A ConvNet for the 2020s") with torchvision's names.

mod block;

use block::{Block, LayerNorm2d, convolution};
use tch::Tensor;
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults, imagenet_input};
use crate::timm;

/// The keys of ConvNeXt.
#[derive(Config, Clone, Debug)]
pub struct ConvNextOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: Options,
    /// Probability of dropping the last block's branch for a sample; it grows with the depth from 0.
    #[config(default = 0.1, range = 0.0..=1.0)]
    pub stochastic_depth_prob: f64,
    /// Channels of each of the four parts.
    #[config(default = [96, 192, 384, 768], range = 1..=65_536)]
    pub dims: [i64; 4],
    /// Blocks of each of the four parts.
    #[config(default = [3, 3, 9, 3], range = 1..=1024)]
    pub depths: [usize; 4],
}

/// The initial weight of convolutions and linear layers.
fn initial_weight(shape: &[i64]) -> Result<Tensor> {
    nn::init::truncated_normal(shape, 0.02, -2.0, 2.0)
}

/// Builds a ConvNeXt.
///
/// # Errors
/// Sizes that libtorch refuses.
fn build(options: &ConvNextOptions, trunk: &mut Trunk) -> Result<()> {
    let (channels, blocks) = (options.dims, options.depths);
    let last_block = (blocks.iter().sum::<usize>() - 1) as f64;
    let mut number = 0;
    trunk.place("features").module("Sequential")?;
    trunk.stage("stem");
    trunk.layer("features.0", |path| {
        nn::Sequential::of_kind(path, "Conv2dNormActivation", |stem| {
            stem.push(|path| convolution(path, 3, channels[0], 4))?;
            stem.push(|path| LayerNorm2d::new(path, channels[0]))
        })
    })?;
    for (part, (width, count)) in channels.into_iter().zip(blocks).enumerate() {
        if part > 0 {
            let name = format!("features.{}", 2 * part);
            trunk.stage(&name);
            trunk.layer(&name, |path| {
                nn::Sequential::new(path, |downsample| {
                    downsample.push(|path| LayerNorm2d::new(path, channels[part - 1]))?;
                    downsample.push(|path| convolution(path, channels[part - 1], width, 2))
                })
            })?;
        }
        let name = format!("features.{}", 2 * part + 1);
        trunk.stage(&name);
        trunk.layer(&name, |path| {
            nn::Sequential::new(path, |layers| {
                for _ in 0..count {
                    let drop = options.stochastic_depth_prob * f64::from(number) / last_block;
                    layers.push(|path| Block::new(path, width, drop))?;
                    number += 1;
                }
                Ok(())
            })
        })?;
    }
    let features = channels[3];
    trunk.stage("pool");
    trunk.layer("avgpool", |path| nn::AdaptiveAvgPool2d::new(path, 1))?;
    trunk.place("classifier").module("Sequential")?;
    trunk.layer("classifier.0", |path| LayerNorm2d::new(path, features))?;
    trunk.layer("classifier.1", nn::Flatten::new)?;
    timm::convnext(trunk, blocks);
    trunk.classify(LastLayer { weight: Some(initial_weight), ..LastLayer::new("classifier.2", features) })
}

macro_rules! variants {
    ($($name:ident, $id:literal, $description:literal, $channels:expr, $blocks:expr,
        $stochastic_depth:literal, $resize:literal;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const KIND: &'static str = "ConvNeXt";
            const IS_SEQUENTIAL: bool = false;
            type Options = ConvNextOptions;

            fn defaults() -> Map<String, Value> {
                defaults([("stochastic_depth_prob", json!($stochastic_depth)), ("dims", json!($channels)),
                    ("depths", json!($blocks))])
            }

            fn options(options: &ConvNextOptions) -> &Options {
                &options.options
            }

            fn input() -> InputDefaults {
                imagenet_input(224.0 / $resize, "bilinear")
            }

            fn build(options: &ConvNextOptions, trunk: &mut Trunk) -> Result<()> {
                build(options, trunk)
            }
        }
    )*};
}

variants! {
    ConvNextTiny, "convnext-tiny", "ConvNeXt Tiny, as torchvision's \
                                    convnext_tiny", [96, 192, 384, 768], [3, 3, 9, 3], 0.1, 236.0;
    ConvNextSmall, "convnext-small", "ConvNeXt Small, as torchvision's \
                                      convnext_small", [96, 192, 384, 768], [3, 3, 27, 3], 0.4, 230.0;
    ConvNextBase, "convnext-base", "ConvNeXt Base, as torchvision's \
                                    convnext_base", [128, 256, 512, 1024], [3, 3, 27, 3], 0.5, 232.0;
    ConvNextLarge, "convnext-large", "ConvNeXt Large, as torchvision's \
                                      convnext_large", [192, 384, 768, 1536], [3, 3, 27, 3], 0.5, 232.0;
}
