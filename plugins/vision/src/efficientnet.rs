//! EfficientNet (Tan and Le, "Rethinking Model Scaling for Convolutional Neural Networks") with torchvision's
//! names.

use tch::Tensor;
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::nn::ActivationKind::{SiLU, Sigmoid};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::channels::make_divisible;
use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults, imagenet_input};
use crate::conv_norm_activation::{Conv2dNormActivation, ConvShape, Norm};
use crate::inverted_residual::{BlockLayers, BlockShape, InvertedResidual};
use crate::squeeze_excitation::Squeeze;
use crate::timm;

/// The keys of EfficientNet.
#[derive(Config, Clone, Debug)]
pub struct EfficientNetOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: Options,
    /// Probability of dropping the last block's branch for a sample; it grows with the depth from 0.
    #[config(default = 0.2, range = 0.0..=1.0)]
    pub stochastic_depth_prob: f64,
    /// Factor on the channels.
    #[config(default = 1.0, range = 0.1..=10.0)]
    pub width_mult: f64,
    /// Factor on the number of blocks.
    #[config(default = 1.0, range = 0.1..=10.0)]
    pub depth_mult: f64,
    /// Constant in the batch norms' square root. Default: that of torchvision's model; timm's have 1e-5.
    #[config(range = 0.0..=1.0)]
    pub norm_eps: Option<f64>,
}

/// Expansion, window, stride, channels, blocks of each group of blocks before scaling.
const GROUPS: [(i64, i64, i64, i64, i64); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

/// Channels after the stem before scaling.
const STEM: i64 = 32;

/// The initial weight of the last linear layer.
fn last_weight(shape: &[i64]) -> Result<Tensor> {
    let bound = 1.0 / (shape[0] as f64).sqrt();
    nn::init::uniform(shape, -bound, bound)
}

/// The shapes of all blocks, group by group.
fn blocks(options: &EfficientNetOptions) -> Vec<Vec<BlockShape>> {
    let mut input = make_divisible(STEM as f64 * options.width_mult, 8);
    let groups = GROUPS.iter().map(|&(expansion, kernel, stride, channels, count)| {
        let output = make_divisible(channels as f64 * options.width_mult, 8);
        let count = (count as f64 * options.depth_mult).ceil() as i64;
        let blocks = (0..count).map(|index| {
            let expanded = make_divisible((input * expansion) as f64, 8);
            let shape =
                BlockShape { input, expanded, output, kernel, stride: if index == 0 { stride } else { 1 } };
            input = output;
            shape
        });
        blocks.collect()
    });
    groups.collect()
}

/// Builds an EfficientNet.
///
/// # Errors
/// Sizes that libtorch refuses.
fn build(norm: Norm, options: &EfficientNetOptions, trunk: &mut Trunk) -> Result<()> {
    let differs = norm.differs_from_pytorchs();
    let norm = norm.with_eps(options.norm_eps);
    let conv = |path: &nn::Path, shape| Conv2dNormActivation::new(path, shape, norm, Some(SiLU));
    let groups = blocks(options);
    let total = groups.iter().map(Vec::len).sum::<usize>() as f64;
    let mut channels = make_divisible(STEM as f64 * options.width_mult, 8);
    trunk.place("features").module("Sequential")?;
    trunk.stage("stem");
    trunk.layer("features.0", |path| {
        conv(path, ConvShape { input: 3, output: channels, kernel: 3, stride: 2, groups: 1 })
    })?;
    let mut number = 0;
    for (group, shapes) in groups.iter().enumerate() {
        let name = format!("features.{}", group + 1);
        trunk.stage(&name);
        trunk.layer(&name, |path| {
            nn::Sequential::new(path, |blocks| {
                for &shape in shapes {
                    let squeeze =
                        Squeeze { channels: (shape.input / 4).max(1), activation: SiLU, scale: Sigmoid };
                    let stochastic_depth = Some(options.stochastic_depth_prob * f64::from(number) / total);
                    let layers = BlockLayers {
                        class: "MBConv",
                        norm,
                        activation: SiLU,
                        squeeze: Some(squeeze),
                        stochastic_depth,
                    };
                    blocks.push(|path| InvertedResidual::new(path, shape, layers))?;
                    channels = shape.output;
                    number += 1;
                }
                Ok(())
            })
        })?;
    }
    let top = 4 * channels;
    let last_features = format!("features.{}", GROUPS.len() + 1);
    trunk.stage("top");
    trunk.layer(&last_features, |path| conv(path, ConvShape::pointwise(channels, top)))?;
    trunk.pool("avgpool")?;
    timm_names(trunk, &groups, &last_features);
    if differs {
        timm::note_batch_norms(trunk, options.norm_eps);
    }
    let last = LastLayer::new("classifier.1", top);
    trunk.classify(LastLayer { dropout: Some("classifier.0".to_owned()), weight: Some(last_weight), ..last })
}

/// timm's names of what was built.
fn timm_names(trunk: &mut Trunk, groups: &[Vec<BlockShape>], last_features: &str) {
    timm::stem(trunk, "features.0.0", "features.0.1");
    timm::top(trunk, &format!("{last_features}.0"), &format!("{last_features}.1"));
    for (group, shapes) in groups.iter().enumerate() {
        for (index, shape) in shapes.iter().enumerate() {
            let branch = format!("features.{}.{index}.block", group + 1);
            let block = timm::InvertedResidual {
                branch: &branch,
                place: (group, index),
                expands: shape.expanded != shape.input,
                squeezes: true,
                projection: timm::Projection::Module,
            };
            block.alias(trunk);
        }
    }
}

macro_rules! variants {
    ($($name:ident, $id:literal, $width:literal, $depth:literal, $norm:ident, $dropout:literal,
        $image_size:literal, $resize:literal;)*) => {$(
        #[doc = concat!("EfficientNet for pictures of ", $image_size, " pixels, as torchvision's ", $id)]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = concat!("EfficientNet for pictures \
                                                       of ", $image_size, " pixels, with torchvision's \
                                                                           names");
            const KIND: &'static str = "EfficientNet";
            type Options = EfficientNetOptions;

            fn defaults() -> Map<String, Value> {
                defaults([("image_size", json!($image_size)), ("dropout", json!($dropout)), ("width_mult",
                    json!($width)), ("depth_mult", json!($depth))])
            }

            fn options(options: &EfficientNetOptions) -> &Options {
                &options.options
            }

            fn input() -> InputDefaults {
                imagenet_input(f64::from($image_size) / f64::from($resize), "bicubic")
            }

            fn build(options: &EfficientNetOptions, trunk: &mut Trunk) -> Result<()> {
                build(Norm::$norm, options, trunk)
            }
        }
    )*};
}

variants! {
    EfficientNetB0, "efficientnet-b0", 1.0, 1.0, PYTORCH, 0.2, 224, 256;
    EfficientNetB1, "efficientnet-b1", 1.0, 1.1, PYTORCH, 0.2, 240, 256;
    EfficientNetB2, "efficientnet-b2", 1.1, 1.2, PYTORCH, 0.3, 288, 288;
    EfficientNetB3, "efficientnet-b3", 1.2, 1.4, PYTORCH, 0.3, 300, 320;
    EfficientNetB4, "efficientnet-b4", 1.4, 1.8, PYTORCH, 0.4, 380, 384;
    EfficientNetB5, "efficientnet-b5", 1.6, 2.2, TENSORFLOW, 0.4, 456, 456;
    EfficientNetB6, "efficientnet-b6", 1.8, 2.6, TENSORFLOW, 0.5, 528, 528;
    EfficientNetB7, "efficientnet-b7", 2.0, 3.1, TENSORFLOW, 0.5, 600, 600;
}
