//! EfficientNet-Lite (Tan and Le, "EfficientNet"; the lite variants without squeeze-and-excitation and with
//! ReLU6) with the names of the package `efficientnet_lite_pytorch`.

mod block;
mod same_padding;

use block::{Block, BlockShape};
use same_padding::SamePaddingConv2d;
use tch::Tensor;
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::channels::make_divisible;
use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults};
use crate::conv_norm_activation::Norm;
use crate::timm;

/// The keys of EfficientNet-Lite.
#[derive(Config, Clone, Debug)]
pub struct LiteOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: Options,
    /// Probability of dropping the last block's branch for a sample; it grows with the depth from 0.
    #[config(default = 0.2, range = 0.0..=1.0)]
    pub drop_connect_rate: f64,
    /// Factor on the channels.
    #[config(default = 1.0, range = 0.1..=10.0)]
    pub width_coefficient: f64,
    /// Factor on the number of blocks.
    #[config(default = 1.0, range = 0.1..=10.0)]
    pub depth_coefficient: f64,
}

/// Blocks, window, stride, expansion, channels of each group of blocks before scaling.
const GROUPS: [(i64, i64, i64, i64, i64); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];

/// Channels after the stem and after the last convolution, whatever the scale.
const STEM: i64 = 32;
const TOP: i64 = 1280;

fn norm(path: &nn::Path, channels: i64) -> Result<nn::BatchNorm2d> {
    Norm::TENSORFLOW.layer(path, channels)
}

fn relu6(input: &Tensor) -> Result<Tensor> {
    nn::ActivationKind::ReLU6.apply_in_place(input.shallow_clone())
}

/// The shapes of all blocks, group by group.
fn blocks(options: &LiteOptions) -> Vec<Vec<BlockShape>> {
    let mut input = STEM;
    let groups = GROUPS.iter().enumerate().map(|(group, &(count, kernel, stride, expand, channels))| {
        let output = make_divisible(channels as f64 * options.width_coefficient, 8);
        // The first and the last group are as deep in every variant.
        let count = if group == 0 || group + 1 == GROUPS.len() {
            count
        } else {
            (count as f64 * options.depth_coefficient).ceil() as i64
        };
        let blocks = (0..count).map(|index| {
            let shape = BlockShape {
                input,
                output,
                kernel,
                stride: if index == 0 { stride } else { 1 },
                expand,
                first: index == 0,
            };
            input = output;
            shape
        });
        blocks.collect()
    });
    groups.collect()
}

/// Builds an EfficientNet-Lite.
///
/// # Errors
/// Sizes that libtorch refuses.
fn build(options: &LiteOptions, trunk: &mut Trunk) -> Result<()> {
    let mut size = options.options.image_size;
    trunk.stage("stem");
    trunk.layer("_conv_stem", |path| SamePaddingConv2d::new(path, 3, STEM, 3, 2, 1, &mut size))?;
    trunk.layer("_bn0", |path| norm(path, STEM))?;
    trunk.function(relu6);
    trunk.place("_blocks").module("ModuleList")?;
    let groups = blocks(options);
    let total = groups.iter().map(Vec::len).sum::<usize>() as f64;
    let mut index = 0;
    let mut channels = STEM;
    for (group, shapes) in groups.into_iter().enumerate() {
        trunk.stage(format!("blocks{}", group + 1));
        for shape in shapes {
            let drop = options.drop_connect_rate * f64::from(index) / total;
            trunk.layer(&format!("_blocks.{index}"), |path| Block::new(path, shape, drop, &mut size))?;
            index += 1;
            channels = shape.output;
        }
    }
    trunk.stage("top");
    trunk.layer("_conv_head", |path| SamePaddingConv2d::new(path, channels, TOP, 1, 1, 1, &mut size))?;
    trunk.layer("_bn1", |path| norm(path, TOP))?;
    trunk.function(relu6);
    trunk.pool("_avg_pooling")?;
    trunk.classify(LastLayer { dropout: Some("_dropout".to_owned()), ..LastLayer::new("_fc", TOP) })?;
    nn::Activation::new(&trunk.place("_swish"), nn::ActivationKind::ReLU6)?;
    timm_names(trunk, &blocks(options));
    Ok(())
}

/// timm's names of the same layers.
fn timm_names(trunk: &mut Trunk, groups: &[Vec<BlockShape>]) {
    timm::stem(trunk, "_conv_stem", "_bn0");
    timm::top(trunk, "_conv_head", "_bn1");
    let places = groups.iter().enumerate().flat_map(|(group, shapes)| {
        shapes.iter().enumerate().map(move |(index, shape)| (group, index, shape.expand))
    });
    for (number, (group, index, expand)) in places.enumerate() {
        let layers: &[(&str, &str)] = match expand {
            1 => &[
                ("conv_dw", "_depthwise_conv"),
                ("bn1", "_bn1"),
                ("conv_pw", "_project_conv"),
                ("bn2", "_bn2"),
            ],
            _ => &[
                ("conv_pw", "_expand_conv"),
                ("bn1", "_bn0"),
                ("conv_dw", "_depthwise_conv"),
                ("bn2", "_bn1"),
                ("conv_pwl", "_project_conv"),
                ("bn3", "_bn2"),
            ],
        };
        for (from, to) in layers {
            trunk.alias(format!("blocks.{group}.{index}.{from}"), &format!("_blocks.{number}.{to}"));
        }
    }
    trunk.note(
        timm::STEM,
        "these are timm's names: its `tf_efficientnet_lite` models are this one; those without `tf_` pad \
         otherwise and have batch norms with eps = 1e-5, so that their outputs differ here",
    );
}

macro_rules! variants {
    ($($name:ident, $id:literal, $description:literal, $width:literal, $depth:literal, $image_size:literal,
        $dropout:literal;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const KIND: &'static str = "EfficientNet";
            const OTHER_NAMES: &'static [&'static str] = &[concat!("tf_", $id)];
            const IS_SEQUENTIAL: bool = false;
            type Options = LiteOptions;

            fn defaults() -> Map<String, Value> {
                let scale = [("width_coefficient", json!($width)), ("depth_coefficient", json!($depth))];
                defaults([("image_size", json!($image_size)), ("dropout",
                    json!($dropout))].into_iter().chain(scale))
            }

            fn options(options: &LiteOptions) -> &Options {
                &options.options
            }

            fn input() -> InputDefaults {
                // The authors' own: pictures in -1..1, and a margin of 32 pixels around the crop.
                InputDefaults {
                    mean: Some([0.5; 3]),
                    std: Some([0.5; 3]),
                    crop_pct: Some(f64::from($image_size) / f64::from($image_size + 32)),
                    interpolation: Some("bicubic".to_owned()),
                    ..InputDefaults::default()
                }
            }

            fn build(options: &LiteOptions, trunk: &mut Trunk) -> Result<()> {
                build(options, trunk)
            }
        }
    )*};
}

variants! {
    EfficientNetLite0, "efficientnet-lite0", "EfficientNet-Lite0 for pictures of 224 \
                                              pixels", 1.0, 1.0, 224, 0.2;
    EfficientNetLite1, "efficientnet-lite1", "EfficientNet-Lite1 for pictures of 240 \
                                              pixels", 1.0, 1.1, 240, 0.2;
    EfficientNetLite2, "efficientnet-lite2", "EfficientNet-Lite2 for pictures of 260 \
                                              pixels", 1.1, 1.2, 260, 0.3;
    EfficientNetLite3, "efficientnet-lite3", "EfficientNet-Lite3 for pictures of 280 \
                                              pixels", 1.2, 1.4, 280, 0.3;
    EfficientNetLite4, "efficientnet-lite4", "EfficientNet-Lite4 for pictures of 300 \
                                              pixels", 1.4, 1.8, 300, 0.3;
}
