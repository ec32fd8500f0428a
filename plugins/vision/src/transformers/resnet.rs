//! ResNet as transformers' `ResNetForImageClassification`.

use tch::Tensor;
use thaw_plugin_api::config::Config;
use thaw_plugin_api::prelude::*;

use super::file::{HubFile, config_error};
use super::model::{HeadKind, HubArchitecture, HubOptions, Parts};
use crate::conv_norm_activation::convolution;

/// The keys of ResNet; what is not given is that of `config`, else of resnet-50.
#[derive(Config, Clone, Debug)]
pub struct ResNetHubOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: HubOptions,
    /// Channels of each stage.
    #[config(range = 1..)]
    pub hidden_sizes: Option<Vec<i64>>,
    /// Layers of each stage.
    #[config(range = 1..)]
    pub depths: Option<Vec<i64>>,
}

/// `resnet-classifier`.
pub struct ResNetClassifier;

impl HubArchitecture for ResNetClassifier {
    const ID: &'static str = "resnet-classifier";
    const DESCRIPTION: &'static str = "ResNet with the names of transformers' ResNetForImageClassification";
    const TYPES: &'static [&'static str] = &["resnet"];
    const CLASS: &'static str = "ResNetForImageClassification";
    const BASE: &'static str = "resnet";
    const HEAD: HeadKind = HeadKind::AfterFlatten;
    type Options = ResNetHubOptions;

    fn options(options: &ResNetHubOptions) -> &HubOptions {
        &options.options
    }

    fn build(own: &ResNetHubOptions, file: &HubFile, parts: &mut Parts) -> Result<i64> {
        let sizes = file.list("hidden_sizes", own.hidden_sizes.as_deref(), &[256, 512, 1024, 2048])?;
        let depths = file.list("depths", own.depths.as_deref(), &[3, 4, 6, 3])?;
        let Some(last) = sizes.last().copied().filter(|_| sizes.len() == depths.len()) else {
            let message = format!("hidden_sizes has {} stages, depths {}", sizes.len(), depths.len());
            return Err(config_error(message));
        };
        let kind = match file.text("layer_type", "bottleneck")?.as_str() {
            "basic" => LayerKind::Basic,
            "bottleneck" if file.flag("downsample_in_bottleneck", false)? => LayerKind::StrideFirst,
            "bottleneck" => LayerKind::Bottleneck,
            other => {
                let message = format!("`config`: layer_type is {other:?}, expected basic or bottleneck");
                return Err(config_error(message));
            }
        };
        let activation = file.activation("relu")?;
        let base = parts.base().clone();
        base.module("ResNetModel")?;
        let path = &base / "embedder";
        path.module("ResNetEmbeddings")?;
        let mut channels = file.integer("embedding_size", None, 64)?;
        let window = Window { input: 3, output: channels, kernel: 7, stride: 2 };
        let stem = ConvLayer::new(&(&path / "embedder"), window, Some(activation))?;
        let pool = nn::MaxPool2d::new(&(&path / "pooler"), 3, 2, 1)?;
        parts.stage("stem", &["embedder"], vec![Box::new(stem), Box::new(pool)]);
        let encoder = &base / "encoder";
        encoder.module("ResNetEncoder")?;
        (&encoder / "stages").module("ModuleList")?;
        let first_stride = if file.flag("downsample_in_first_stage", false)? { 2 } else { 1 };
        for (index, (output, depth)) in sizes.into_iter().zip(depths).enumerate() {
            let path = &encoder / "stages" / index;
            path.module("ResNetStage")?;
            (&path / "layers").module("Sequential")?;
            let mut layers: Vec<Box<dyn nn::Module>> = Vec::new();
            for layer in 0..depth {
                let stride = if layer > 0 {
                    1
                } else if index > 0 {
                    2
                } else {
                    first_stride
                };
                let shape = Window { input: channels, output, kernel: 3, stride };
                layers.push(Box::new(Layer::new(&(&path / "layers" / layer), kind, shape, activation)?));
                channels = output;
            }
            parts.stage(format!("stage{index}"), &[&format!("encoder.stages.{index}")], layers);
        }
        let pool = nn::AdaptiveAvgPool2d::new(&(&base / "pooler"), 1)?;
        parts.stage("pool", &["pooler"], vec![Box::new(pool)]);
        Ok(last)
    }
}

/// What a layer is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LayerKind {
    /// Two convolutions 3×3.
    Basic,
    /// Convolutions 1×1, 3×3, 1×1; the stride is the second one's.
    Bottleneck,
    /// The same with the stride in the first one.
    StrideFirst,
}

/// A convolution's sizes.
#[derive(Clone, Copy)]
struct Window {
    input: i64,
    output: i64,
    kernel: i64,
    stride: i64,
}

/// Convolution, batch norm, activation.
struct ConvLayer {
    convolution: nn::Conv2d,
    norm: nn::BatchNorm2d,
    activation: Option<nn::ActivationKind>,
}

impl ConvLayer {
    fn new(path: &nn::Path, window: Window, activation: Option<nn::ActivationKind>) -> Result<Self> {
        path.module("ResNetConvLayer")?;
        let own = Self::without_activation(path, window)?;
        let path = path / "activation";
        match activation {
            Some(kind) => nn::Activation::new(&path, kind).map(|_| ())?,
            None => nn::Identity::new(&path).map(|_| ())?,
        }
        Ok(Self { activation, ..own })
    }

    fn without_activation(path: &nn::Path, window: Window) -> Result<Self> {
        let Window { input, output, kernel, stride } = window;
        let options = nn::Conv2dOptions { stride, padding: kernel / 2, ..Default::default() };
        let convolution = convolution(&(path / "convolution"), input, output, kernel, options)?;
        let norm = nn::BatchNorm2d::new(&(path / "normalization"), output)?;
        Ok(Self { convolution, norm, activation: None })
    }
}

impl nn::Module for ConvLayer {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let normal = self.norm.forward(&self.convolution.forward(input)?)?;
        match self.activation {
            Some(kind) => kind.apply_in_place(normal),
            None => Ok(normal),
        }
    }
}

/// Convolutions, and the input added before the last activation.
struct Layer {
    shortcut: Option<ConvLayer>,
    layers: Vec<ConvLayer>,
    activation: nn::ActivationKind,
}

impl Layer {
    /// `shape.kernel` is that of a window that is no point.
    fn new(path: &nn::Path, kind: LayerKind, shape: Window, activation: nn::ActivationKind) -> Result<Self> {
        let Window { input, output, stride, .. } = shape;
        path.module(if kind == LayerKind::Basic { "ResNetBasicLayer" } else { "ResNetBottleNeckLayer" })?;
        let shortcut = &path.child("shortcut");
        let shortcut = if input != output || stride != 1 {
            shortcut.module("ResNetShortCut")?;
            Some(ConvLayer::without_activation(shortcut, Window { kernel: 1, ..shape })?)
        } else {
            nn::Identity::new(shortcut)?;
            None
        };
        let inner = output / 4;
        let point = |input, output, stride| Window { input, output, kernel: 1, stride };
        let windows = match kind {
            LayerKind::Basic => vec![shape, Window { input: output, stride: 1, ..shape }],
            LayerKind::Bottleneck => vec![
                point(input, inner, 1),
                Window { input: inner, output: inner, ..shape },
                point(inner, output, 1),
            ],
            LayerKind::StrideFirst => vec![
                point(input, inner, stride),
                Window { input: inner, output: inner, stride: 1, ..shape },
                point(inner, output, 1),
            ],
        };
        (path / "layer").module("Sequential")?;
        let count = windows.len();
        // Inside of a layer the activation is ReLU, whatever the file says.
        let between = |index: usize| (index + 1 < count).then_some(nn::ActivationKind::ReLU);
        let layers = windows
            .into_iter()
            .enumerate()
            .map(|(index, window)| ConvLayer::new(&(path / "layer" / index), window, between(index)));
        let layers = layers.collect::<Result<_>>()?;
        nn::Activation::new(&(path / "activation"), activation)?;
        Ok(Self { shortcut, layers, activation })
    }
}

impl nn::Module for Layer {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let mut layers = self.layers.iter();
        let mut output = layers.try_fold(input.shallow_clone(), |x, layer| layer.forward(&x))?;
        output = match &self.shortcut {
            Some(shortcut) => output.f_add_(&shortcut.forward(input)?)?,
            None => output.f_add_(input)?,
        };
        self.activation.apply_in_place(output)
    }
}
