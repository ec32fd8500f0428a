//! ResNet (He et al., "Deep Residual Learning for Image Recognition") with torchvision's names.

mod block;

use block::{Block, BlockKind, Width};
use thaw_plugin_api::prelude::*;

use crate::classifier::{Architecture, LastLayer, Options, Trunk};
use crate::conv_norm_activation::convolution;

/// What tells one ResNet from another.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    block: BlockKind,
    /// Blocks in each of the four layers.
    blocks: [usize; 4],
    width: Width,
}

/// Builds a ResNet of this shape.
///
/// # Errors
/// Sizes that libtorch refuses.
pub fn build(shape: Shape, trunk: &mut Trunk) -> Result<()> {
    trunk.stage("stem");
    trunk.layer("conv1", |path| convolution(path, 3, 64, 7, nn::Conv2dOptions { stride: 2, padding: 3, ..Default::default() }))?;
    trunk.layer("bn1", |path| nn::BatchNorm2d::new(path, 64))?;
    trunk.layer("relu", |path| nn::Activation::new(path, nn::ActivationKind::ReLU))?;
    trunk.layer("maxpool", |path| nn::MaxPool2d::new(path, 3, 2, 1))?;
    let mut channels = 64;
    for (index, count) in shape.blocks.into_iter().enumerate() {
        let name = format!("layer{}", index + 1);
        let planes = 64 << index;
        trunk.stage(&name);
        trunk.layer(&name, |path| {
            nn::Sequential::new(path, |layer| {
                for block in 0..count {
                    let stride = if index > 0 && block == 0 { 2 } else { 1 };
                    layer.push(|path| Block::new(path, shape.block, channels, planes, stride, shape.width))?;
                    channels = planes * shape.block.expansion();
                }
                Ok(())
            })
        })?;
    }
    trunk.pool("avgpool")?;
    trunk.classify(LastLayer::new("fc", channels))
}

macro_rules! resnets {
    ($($name:ident, $id:literal, $description:literal, $block:ident, $blocks:expr, $groups:literal, $per_group:literal;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const KIND: &'static str = "ResNet";
            type Options = Options;

            fn options(options: &Options) -> &Options {
                options
            }

            fn build(_: &Options, trunk: &mut Trunk) -> Result<()> {
                let width = Width { groups: $groups, per_group: $per_group };
                build(Shape { block: BlockKind::$block, blocks: $blocks, width }, trunk)
            }
        }
    )*};
}

resnets! {
    ResNet18, "resnet18", "ResNet with 18 layers, as torchvision's resnet18", Basic, [2, 2, 2, 2], 1, 64;
    ResNet34, "resnet34", "ResNet with 34 layers, as torchvision's resnet34", Basic, [3, 4, 6, 3], 1, 64;
    ResNet50, "resnet50", "ResNet with 50 layers, as torchvision's resnet50", Bottleneck, [3, 4, 6, 3], 1, 64;
    ResNet101, "resnet101", "ResNet with 101 layers, as torchvision's resnet101", Bottleneck, [3, 4, 23, 3], 1, 64;
    ResNet152, "resnet152", "ResNet with 152 layers, as torchvision's resnet152", Bottleneck, [3, 8, 36, 3], 1, 64;
    ResNext50, "resnext50-32x4d", "ResNeXt with 50 layers and 32 groups of 4 channels, as torchvision's resnext50_32x4d", Bottleneck, [3, 4, 6, 3], 32, 4;
    ResNext101, "resnext101-32x8d", "ResNeXt with 101 layers and 32 groups of 8 channels, as torchvision's resnext101_32x8d", Bottleneck, [3, 4, 23, 3], 32, 8;
    ResNext101Wide, "resnext101-64x4d", "ResNeXt with 101 layers and 64 groups of 4 channels, as torchvision's resnext101_64x4d", Bottleneck, [3, 4, 23, 3], 64, 4;
    WideResNet50, "wide-resnet50-2", "ResNet with 50 layers of double width, as torchvision's wide_resnet50_2", Bottleneck, [3, 4, 6, 3], 1, 128;
    WideResNet101, "wide-resnet101-2", "ResNet with 101 layers of double width, as torchvision's wide_resnet101_2", Bottleneck, [3, 4, 23, 3], 1, 128;
}
