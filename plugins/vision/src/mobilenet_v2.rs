//! MobileNetV2 (Sandler et al., "Inverted Residuals and Linear Bottlenecks") with torchvision's names.

use thaw_plugin_api::config::Config;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::channels::make_divisible;
use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults};
use crate::conv_norm_activation::{Conv2dNormActivation, ConvShape, Norm, convolution};
use crate::inverted_residual::{BlockShape, InvertedResidual, expand};
use crate::timm;

/// The keys of MobileNets.
#[derive(Config, Clone, Debug)]
pub struct MobileNetOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: Options,
    /// Factor on the channels.
    #[config(default = 1.0, range = 0.1..=10.0)]
    pub width_mult: f64,
    /// Constant in the batch norms' square root. Default: that of torchvision's model; timm's have 1e-5.
    #[config(range = 0.0..=1.0)]
    pub norm_eps: Option<f64>,
}

/// Expansion, channels, blocks, stride of each group of blocks before scaling.
const GROUPS: [(i64, i64, usize, i64); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// Channels after the stem, and after the last convolution at least, before scaling.
const STEM: f64 = 32.0;
const TOP: f64 = 1280.0;

const ACTIVATION: nn::ActivationKind = nn::ActivationKind::ReLU6;

/// A block whose projection and last batch norm lie in the branch itself, without an activation.
fn block(path: &nn::Path, shape: BlockShape, norm: Norm) -> Result<InvertedResidual> {
    path.module("InvertedResidual")?;
    let branch = nn::Sequential::new(&(path / "conv"), |conv| {
        expand(conv, shape, norm, ACTIVATION)?;
        conv.push(|path| convolution(path, shape.expanded, shape.output, 1, nn::Conv2dOptions::default()))?;
        conv.push(|path| norm.layer(path, shape.output))
    })?;
    Ok(InvertedResidual::around(branch, shape))
}

/// The initial weight of the last linear layer.
pub(crate) fn last_weight(shape: &[i64]) -> Result<tch::Tensor> {
    nn::init::normal(shape, 0.01)
}

/// MobileNetV2.
pub struct MobileNetV2;

impl Architecture for MobileNetV2 {
    const ID: &'static str = "mobilenet-v2";
    const DESCRIPTION: &'static str = "MobileNetV2, as torchvision's mobilenet_v2";
    const OTHER_NAMES: &'static [&'static str] = &["mobilenetv2_100"];
    const KIND: &'static str = "MobileNetV2";
    const IS_SEQUENTIAL: bool = false;
    type Options = MobileNetOptions;

    fn defaults() -> Map<String, Value> {
        defaults([("dropout", json!(0.2))])
    }

    fn options(options: &MobileNetOptions) -> &Options {
        &options.options
    }

    fn build(options: &MobileNetOptions, trunk: &mut Trunk) -> Result<()> {
        let width = options.width_mult;
        let norm = Norm::PYTORCH.with_eps(options.norm_eps);
        let conv = |path: &nn::Path, shape| Conv2dNormActivation::new(path, shape, norm, Some(ACTIVATION));
        let mut channels = make_divisible(STEM * width, 8);
        trunk.place("features").module("Sequential")?;
        trunk.stage("stem");
        trunk.layer("features.0", |path| {
            conv(path, ConvShape { input: 3, output: channels, kernel: 3, stride: 2, groups: 1 })
        })?;
        let mut index = 1;
        timm::stem(trunk, "features.0.0", "features.0.1");
        for (group, (expansion, output, blocks, stride)) in GROUPS.into_iter().enumerate() {
            for number in 0..blocks {
                let shape = BlockShape {
                    input: channels,
                    expanded: channels * expansion,
                    output: make_divisible(output as f64 * width, 8),
                    kernel: 3,
                    stride: if number == 0 { stride } else { 1 },
                };
                trunk.stage(format!("features.{index}"));
                trunk.layer(&format!("features.{index}"), |path| block(path, shape, norm))?;
                let named = timm::InvertedResidual {
                    branch: &format!("features.{index}.conv"),
                    place: (group, number),
                    expands: shape.expanded != shape.input,
                    squeezes: false,
                    projection: timm::Projection::Children,
                };
                named.alias(trunk);
                channels = shape.output;
                index += 1;
            }
        }
        let top = make_divisible(TOP * width.max(1.0), 8);
        trunk.stage("top");
        trunk.layer(&format!("features.{index}"), |path| conv(path, ConvShape::pointwise(channels, top)))?;
        timm::top(trunk, &format!("features.{index}.0"), &format!("features.{index}.1"));
        trunk.stage("pool");
        trunk.function(|features| Ok(features.f_adaptive_avg_pool2d([1, 1])?.f_flatten(1, -1)?));
        let last = LastLayer::new("classifier.1", top);
        trunk.classify(LastLayer {
            dropout: Some("classifier.0".to_owned()),
            weight: Some(last_weight),
            ..last
        })
    }
}
