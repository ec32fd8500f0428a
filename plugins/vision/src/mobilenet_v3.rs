//! MobileNetV3 (Howard et al., "Searching for MobileNetV3") with torchvision's names.

use thaw_plugin_api::nn::ActivationKind::{Hardsigmoid, Hardswish, ReLU};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::channels::make_divisible;
use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults};
use crate::conv_norm_activation::{Conv2dNormActivation, ConvShape, Norm};
use crate::inverted_residual::{BlockLayers, BlockShape, InvertedResidual};
use crate::mobilenet_v2::{MobileNetOptions, last_weight};
use crate::squeeze_excitation::Squeeze;
use crate::timm;

/// One block before scaling: window, channels inside, channels that come out, whether it has a
/// squeeze-and-excitation, activation, stride.
type Row = (i64, i64, i64, bool, nn::ActivationKind, i64);

const LARGE: &[Row] = &[
    (3, 16, 16, false, ReLU, 1),
    (3, 64, 24, false, ReLU, 2),
    (3, 72, 24, false, ReLU, 1),
    (5, 72, 40, true, ReLU, 2),
    (5, 120, 40, true, ReLU, 1),
    (5, 120, 40, true, ReLU, 1),
    (3, 240, 80, false, Hardswish, 2),
    (3, 200, 80, false, Hardswish, 1),
    (3, 184, 80, false, Hardswish, 1),
    (3, 184, 80, false, Hardswish, 1),
    (3, 480, 112, true, Hardswish, 1),
    (3, 672, 112, true, Hardswish, 1),
    (5, 672, 160, true, Hardswish, 2),
    (5, 960, 160, true, Hardswish, 1),
    (5, 960, 160, true, Hardswish, 1),
];

const SMALL: &[Row] = &[
    (3, 16, 16, true, ReLU, 2),
    (3, 72, 24, false, ReLU, 2),
    (3, 88, 24, false, ReLU, 1),
    (5, 96, 40, true, Hardswish, 2),
    (5, 240, 40, true, Hardswish, 1),
    (5, 240, 40, true, Hardswish, 1),
    (5, 120, 48, true, Hardswish, 1),
    (5, 144, 48, true, Hardswish, 1),
    (5, 288, 96, true, Hardswish, 2),
    (5, 576, 96, true, Hardswish, 1),
    (5, 576, 96, true, Hardswish, 1),
];

/// Channels after the stem before scaling.
const STEM: i64 = 16;

/// Builds the variant of these blocks; `hidden` is the width of the classifier before scaling.
///
/// # Errors
/// Sizes that libtorch refuses.
fn build(rows: &[Row], hidden: i64, norm: Norm, options: &MobileNetOptions, trunk: &mut Trunk) -> Result<()> {
    let scaled = |channels: i64| make_divisible(channels as f64 * options.width_mult, 8);
    let differs = norm.differs_from_pytorchs();
    let norm = norm.with_eps(options.norm_eps);
    let conv = |path: &nn::Path, shape| Conv2dNormActivation::new(path, shape, norm, Some(Hardswish));
    let mut channels = scaled(STEM);
    trunk.place("features").module("Sequential")?;
    trunk.stage("stem");
    trunk.layer("features.0", |path| {
        conv(path, ConvShape { input: 3, output: channels, kernel: 3, stride: 2, groups: 1 })
    })?;
    timm::stem(trunk, "features.0.0", "features.0.1");
    let mut place = (0, 0);
    for (index, &(kernel, expanded, output, squeezes, activation, stride)) in rows.iter().enumerate() {
        let shape = BlockShape {
            input: channels,
            expanded: scaled(expanded),
            output: scaled(output),
            kernel,
            stride,
        };
        let middle = make_divisible(shape.expanded as f64 / 4.0, 8);
        let squeeze = squeezes.then_some(Squeeze { channels: middle, activation: ReLU, scale: Hardsigmoid });
        let layers =
            BlockLayers { class: "InvertedResidual", norm, activation, squeeze, stochastic_depth: None };
        let name = format!("features.{}", index + 1);
        trunk.stage(&name);
        trunk.layer(&name, |path| InvertedResidual::new(path, shape, layers))?;
        let branch = format!("{name}.block");
        let projection = timm::Projection::Module;
        let expands = shape.expanded != shape.input;
        timm::InvertedResidual { branch: &branch, place, expands, squeezes, projection }.alias(trunk);
        // Its groups are blocks of the same number of channels.
        let goes_on = rows.get(index + 1).is_some_and(|next| next.2 == output);
        place = if goes_on { (place.0, place.1 + 1) } else { (place.0 + 1, 0) };
        channels = shape.output;
    }
    let top = 6 * channels;
    trunk.stage("top");
    let last_features = format!("features.{}", rows.len() + 1);
    trunk.layer(&last_features, |path| conv(path, ConvShape::pointwise(channels, top)))?;
    trunk.alias(format!("blocks.{}.0.conv", place.0), &format!("{last_features}.0"));
    trunk.alias(format!("blocks.{}.0.bn1", place.0), &format!("{last_features}.1"));
    trunk.alias("conv_head", "classifier.0");
    trunk.alias_last("classifier");
    if differs {
        timm::note_batch_norms(trunk, options.norm_eps);
    }
    trunk.pool("avgpool")?;
    let hidden = scaled(hidden);
    trunk.place("classifier").module("Sequential")?;
    trunk.stage("classifier");
    trunk.layer("classifier.0", |path| {
        nn::Linear::with_values(path, last_weight(&[hidden, top])?, Some(nn::init::zeros(&[hidden])?))
    })?;
    trunk.layer("classifier.1", |path| nn::Activation::new(path, Hardswish))?;
    let last = LastLayer::new("classifier.3", hidden);
    trunk.classify(LastLayer { dropout: Some("classifier.2".to_owned()), weight: Some(last_weight), ..last })
}

macro_rules! variants {
    ($($name:ident, $id:literal, $description:literal, $rows:ident, $hidden:literal, $norm:ident;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const KIND: &'static str = "MobileNetV3";
            const IS_SEQUENTIAL: bool = false;
            type Options = MobileNetOptions;

            fn defaults() -> Map<String, Value> {
                defaults([("dropout", json!(0.2))])
            }

            fn options(options: &MobileNetOptions) -> &Options {
                &options.options
            }

            fn build(options: &MobileNetOptions, trunk: &mut Trunk) -> Result<()> {
                build($rows, $hidden, Norm::$norm, options, trunk)
            }
        }
    )*};
}

variants! {
    MobileNetV3Large, "mobilenet-v3-large", "MobileNetV3 Large, as torchvision's \
                                             mobilenet_v3_large", LARGE, 1280, TENSORFLOW;
    MobileNetV3Small, "mobilenet-v3-small", "MobileNetV3 Small, as torchvision's \
                                             mobilenet_v3_small", SMALL, 1024, TENSORFLOW;
    TimmMobileNetV3Large, "mobilenetv3-large-100", "MobileNetV3 Large, with the batch norms of timm's \
                                                    mobilenetv3_large_100", LARGE, 1280, PYTORCH;
    TimmMobileNetV3Small, "mobilenetv3-small-100", "MobileNetV3 Small, with the batch norms of timm's \
                                                    mobilenetv3_small_100", SMALL, 1024, PYTORCH;
}
