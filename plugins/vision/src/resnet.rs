//! ResNet (He et al., "Deep Residual Learning for Image Recognition") with torchvision's names.

mod block;

use block::{Block, BlockKind, BlockShape};
use thaw_plugin_api::config::Config;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults};
use crate::conv_norm_activation::convolution;

/// The keys of ResNet.
#[derive(Config, Clone, Debug)]
pub struct ResNetOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: Options,
    /// Groups of the 3×3 convolutions in bottlenecks.
    #[config(default = 1, range = 1..=1024)]
    pub groups: i64,
    /// Channels of a group in the first layer's bottlenecks.
    #[config(default = 64, range = 1..=4096)]
    pub width_per_group: i64,
    /// Blocks of each of the four layers.
    #[config(default = [2, 2, 2, 2], range = 1..=1024)]
    pub layers: [usize; 4],
    /// Whether the last batch norm of each block starts with a weight of 0, so that the block starts as the
    /// identity (Goyal et al., "Accurate, Large Minibatch SGD").
    #[config(default = false)]
    pub zero_init_residual: bool,
    /// Whether the second, third and fourth layer keep the picture's size and dilate their windows instead.
    #[config(default = [false, false, false])]
    pub replace_stride_with_dilation: [bool; 3],
}

/// Builds a ResNet.
///
/// # Errors
/// Keys that are not for this kind of block, or sizes that libtorch refuses.
fn build(kind: BlockKind, options: &ResNetOptions, trunk: &mut Trunk) -> Result<()> {
    let is_plain = (options.groups, options.width_per_group, options.replace_stride_with_dilation)
        == (1, 64, [false; 3]);
    if kind == BlockKind::Basic && !is_plain {
        let misfit = "`groups`, `width_per_group` and `replace_stride_with_dilation` are for ResNets with \
                      bottlenecks, of 50 layers and more";
        return Err(Error::of(ErrorKind::Config, misfit));
    }
    trunk.stage("stem");
    trunk.layer("conv1", |path| {
        convolution(path, 3, 64, 7, nn::Conv2dOptions { stride: 2, padding: 3, ..Default::default() })
    })?;
    trunk.layer("bn1", |path| nn::BatchNorm2d::new(path, 64))?;
    trunk.layer("relu", |path| nn::Activation::new(path, nn::ActivationKind::ReLU))?;
    trunk.layer("maxpool", |path| nn::MaxPool2d::new(path, 3, 2, 1))?;
    let mut channels = 64;
    let mut dilation = 1;
    for (index, count) in options.layers.into_iter().enumerate() {
        let name = format!("layer{}", index + 1);
        // The first block of a layer that dilates has the window of the layer before.
        let first = dilation;
        let is_dilated = index > 0 && options.replace_stride_with_dilation[index - 1];
        if is_dilated {
            dilation *= 2;
        }
        trunk.stage(&name);
        trunk.layer(&name, |path| {
            nn::Sequential::new(path, |layer| {
                for number in 0..count {
                    let shape = BlockShape {
                        input: channels,
                        planes: 64 << index,
                        stride: if index > 0 && number == 0 && !is_dilated { 2 } else { 1 },
                        dilation: if number == 0 { first } else { dilation },
                        groups: options.groups,
                        width_per_group: options.width_per_group,
                        zero_init: options.zero_init_residual,
                    };
                    layer.push(|path| Block::new(path, kind, shape))?;
                    channels = shape.planes * kind.expansion();
                }
                Ok(())
            })
        })?;
    }
    trunk.pool("avgpool")?;
    trunk.classify(LastLayer::new("fc", channels))
}

macro_rules! resnets {
    ($($name:ident, $id:literal, $description:literal, $block:ident, $blocks:expr, $groups:literal,
        $per_group:literal;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const KIND: &'static str = "ResNet";
            type Options = ResNetOptions;

            fn defaults() -> Map<String, Value> {
                defaults([("layers", json!($blocks)), ("groups", json!($groups)), ("width_per_group",
                    json!($per_group))])
            }

            fn options(options: &ResNetOptions) -> &Options {
                &options.options
            }

            fn build(options: &ResNetOptions, trunk: &mut Trunk) -> Result<()> {
                build(BlockKind::$block, options, trunk)
            }
        }
    )*};
}

resnets! {
    ResNet18, "resnet18", "ResNet with 18 layers, as torchvision's resnet18", Basic, [2, 2, 2, 2], 1, 64;
    ResNet34, "resnet34", "ResNet with 34 layers, as torchvision's resnet34", Basic, [3, 4, 6, 3], 1, 64;
    ResNet50, "resnet50", "ResNet with 50 layers, as torchvision's resnet50", Bottleneck, [3, 4, 6, 3], 1, 64;
    ResNet101, "resnet101", "ResNet with 101 layers, as torchvision's \
                             resnet101", Bottleneck, [3, 4, 23, 3], 1, 64;
    ResNet152, "resnet152", "ResNet with 152 layers, as torchvision's \
                             resnet152", Bottleneck, [3, 8, 36, 3], 1, 64;
    ResNext50, "resnext50-32x4d", "ResNeXt with 50 layers and 32 groups of 4 channels, as torchvision's \
                                   resnext50_32x4d", Bottleneck, [3, 4, 6, 3], 32, 4;
    ResNext101, "resnext101-32x8d", "ResNeXt with 101 layers and 32 groups of 8 channels, as torchvision's \
                                     resnext101_32x8d", Bottleneck, [3, 4, 23, 3], 32, 8;
    ResNext101Wide, "resnext101-64x4d", "ResNeXt with 101 layers and 64 groups of 4 channels, as \
                                         torchvision's resnext101_64x4d", Bottleneck, [3, 4, 23, 3], 64, 4;
    WideResNet50, "wide-resnet50-2", "ResNet with 50 layers of double width, as torchvision's \
                                      wide_resnet50_2", Bottleneck, [3, 4, 6, 3], 1, 128;
    WideResNet101, "wide-resnet101-2", "ResNet with 101 layers of double width, as torchvision's \
                                        wide_resnet101_2", Bottleneck, [3, 4, 23, 3], 1, 128;
}
