//! ConvNeXt as transformers' `ConvNextForImageClassification`.

use tch::{Kind, Tensor};
use thaw_plugin_api::config::Config;
use thaw_plugin_api::prelude::*;

use super::file::{HubFile, config_error};
use super::model::{HubArchitecture, HubOptions, Parts, Step, drop_path, linear, patches};

/// Of all layer norms but the last.
const EPS: f64 = 1e-6;
/// `[N, C, H, W]` to `[N, H, W, C]`, and back.
const CHANNELS_LAST: [i64; 4] = [0, 2, 3, 1];
const CHANNELS_FIRST: [i64; 4] = [0, 3, 1, 2];

/// The keys of ConvNeXt; what is not given is that of `config`, else of convnext-tiny-224.
#[derive(Config, Clone, Debug)]
pub struct ConvNextHubOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: HubOptions,
    /// Channels of each stage.
    #[config(range = 1..)]
    pub hidden_sizes: Option<Vec<i64>>,
    /// Layers of each stage.
    #[config(range = 1..)]
    pub depths: Option<Vec<i64>>,
    /// Width and height of the stem's windows, in pixels.
    #[config(range = 1..)]
    pub patch_size: Option<i64>,
    /// Probability of dropping the last layer's branch for a sample; it grows with the depth from 0.
    #[config(range = 0.0..=1.0)]
    pub drop_path_rate: Option<f64>,
}

/// `convnext-classifier`.
pub struct ConvNextClassifier;

impl HubArchitecture for ConvNextClassifier {
    const ID: &'static str = "convnext-classifier";
    const DESCRIPTION: &'static str = "ConvNeXt with the names of transformers' \
                                       ConvNextForImageClassification";
    const TYPES: &'static [&'static str] = &["convnext"];
    const CLASS: &'static str = "ConvNextForImageClassification";
    const BASE: &'static str = "convnext";
    type Options = ConvNextHubOptions;

    fn options(options: &ConvNextHubOptions) -> &HubOptions {
        &options.options
    }

    fn build(own: &ConvNextHubOptions, file: &HubFile, parts: &mut Parts) -> Result<i64> {
        let sizes = file.list("hidden_sizes", own.hidden_sizes.as_deref(), &[96, 192, 384, 768])?;
        let depths = file.list("depths", own.depths.as_deref(), &[3, 3, 9, 3])?;
        let (Some(first), Some(last)) = (sizes.first().copied(), sizes.last().copied()) else {
            return Err(config_error("hidden_sizes is empty".to_owned()));
        };
        if sizes.len() != depths.len() {
            let message = format!("hidden_sizes has {} stages, depths {}", sizes.len(), depths.len());
            return Err(config_error(message));
        }
        let patch = file.side("patch_size", own.patch_size, 4)?;
        let std = file.number("initializer_range", None, 0.02)?;
        let scale = file.number("layer_scale_init_value", None, 1e-6)?;
        let activation = file.activation("gelu")?;
        let drop = file.number("drop_path_rate", own.drop_path_rate, 0.0)?;
        let base = parts.base().clone();
        base.module("ConvNextModel")?;
        let path = &base / "embeddings";
        path.module("ConvNextEmbeddings")?;
        let stem = patches(&(&path / "patch_embeddings"), 3, first, patch, std)?;
        let norm = ChannelNorm::new(&(&path / "layernorm"), first)?;
        parts.stage("stem", &["embeddings"], vec![Box::new(stem), Box::new(norm)]);
        let encoder = &base / "encoder";
        encoder.module("ConvNextEncoder")?;
        let list = &encoder / "stages";
        list.module("ModuleList")?;
        let blocks = depths.iter().sum::<i64>();
        let (mut number, mut channels) = (0, first);
        for (index, (size, depth)) in sizes.iter().copied().zip(depths).enumerate() {
            let path = &list / index;
            path.module("ConvNextStage")?;
            let mut layers: Vec<Box<dyn nn::Module>> = Vec::new();
            let before = &path / "downsampling_layer";
            before.module("ModuleList")?;
            if index > 0 || channels != size {
                layers.push(Box::new(ChannelNorm::new(&(&before / 0), channels)?));
                layers.push(Box::new(patches(&(&before / 1), channels, size, 2, std)?));
            }
            (&path / "layers").module("ModuleList")?;
            for layer in 0..depth {
                let rate = drop * number as f64 / (blocks - 1).max(1) as f64;
                let shape = LayerShape { channels: size, scale, activation, drop: rate, std };
                layers.push(Box::new(Layer::new(&(&path / "layers" / layer), shape)?));
                number += 1;
            }
            parts.stage(format!("stage{index}"), &[&format!("encoder.stages.{index}")], layers);
            channels = size;
        }
        let eps = file.number("layer_norm_eps", None, 1e-12)?;
        let norm = nn::LayerNorm::new(&(&base / "layernorm"), last, eps)?;
        let mean = Step(|x: &Tensor| Ok(x.f_mean_dim([-2_i64, -1].as_slice(), false, None::<Kind>)?));
        parts.stage("pool", &["layernorm"], vec![Box::new(mean), Box::new(norm)]);
        Ok(last)
    }
}

/// Layer norm over the channels of `[N, C, H, W]`.
struct ChannelNorm(nn::LayerNorm);

impl ChannelNorm {
    fn new(path: &nn::Path, channels: i64) -> Result<Self> {
        Ok(Self(nn::LayerNorm::of_kind(path, "ConvNextLayerNorm", channels, EPS)?))
    }
}

impl nn::Module for ChannelNorm {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(&input.f_permute(CHANNELS_LAST)?)?.f_permute(CHANNELS_FIRST)?)
    }
}

#[derive(Clone, Copy)]
struct LayerShape {
    channels: i64,
    /// Initial value of the scale per channel; with 0 there is none.
    scale: f64,
    activation: nn::ActivationKind,
    /// Probability of dropping the branch.
    drop: f64,
    std: f64,
}

/// Depthwise convolution, layer norm, two linear layers, a scale per channel; added to the input.
struct Layer {
    depthwise: nn::Conv2d,
    norm: nn::LayerNorm,
    widen: nn::Linear,
    activation: nn::ActivationKind,
    narrow: nn::Linear,
    scale: Option<Tensor>,
    drop_path: Box<dyn nn::Module>,
}

impl Layer {
    fn new(path: &nn::Path, shape: LayerShape) -> Result<Self> {
        let LayerShape { channels, scale, activation, drop, std } = shape;
        let module = path.module("ConvNextLayer")?;
        let scale = (scale > 0.0)
            .then(|| module.parameter("layer_scale_parameter", nn::init::constant(&[channels], scale)?));
        let options = nn::Conv2dOptions { padding: 3, groups: channels, ..Default::default() };
        let depthwise = nn::Conv2d::with_values(
            &(path / "dwconv"),
            nn::init::normal(&[channels, 1, 7, 7], std)?,
            Some(nn::init::zeros(&[channels])?),
            options,
        )?;
        let norm = nn::LayerNorm::of_kind(&(path / "layernorm"), "ConvNextLayerNorm", channels, EPS)?;
        let widen = linear(&(path / "pwconv1"), channels, 4 * channels, std)?;
        nn::Activation::new(&(path / "act"), activation)?;
        let narrow = linear(&(path / "pwconv2"), 4 * channels, channels, std)?;
        let drop_path = drop_path(&(path / "drop_path"), drop)?;
        Ok(Self { depthwise, norm, widen, activation, narrow, scale: scale.transpose()?, drop_path })
    }
}

impl nn::Module for Layer {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let normal = self.norm.forward(&self.depthwise.forward(input)?.f_permute(CHANNELS_LAST)?)?;
        let wide = self.activation.apply(&self.widen.forward(&normal)?)?;
        let mut branch = self.narrow.forward(&wide)?;
        if let Some(scale) = &self.scale {
            branch = branch.f_mul(scale)?;
        }
        Ok(self.drop_path.forward(&branch.f_permute(CHANNELS_FIRST)?)?.f_add(input)?)
    }
}
