//! Swin (Liu et al. 2021, "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows") as
//! transformers' `SwinForImageClassification`.

mod block;
mod window;

use block::Block;
use tch::{Kind, Tensor};
use thaw_plugin_api::config::Config;
use thaw_plugin_api::prelude::*;
use window::Grid;

use super::attention::{Bias, LayerShape};
use super::file::{HubFile, config_error};
use super::model::{HubArchitecture, HubOptions, Parts, Step, patches};

/// Of the norms of patches and of merged patches, PyTorch's default.
const EPS: f64 = 1e-5;

/// The keys of Swin; what is not given is that of `config`, else of swin-tiny-patch4-window7-224.
#[derive(Config, Clone, Debug)]
pub struct SwinHubOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: HubOptions,
    /// Width and height of a patch, in pixels.
    #[config(range = 1..)]
    pub patch_size: Option<i64>,
    /// Features of the first stage's tokens; each stage doubles them.
    #[config(range = 1..)]
    pub embed_dim: Option<i64>,
    /// Blocks of each stage.
    #[config(range = 1..)]
    pub depths: Option<Vec<i64>>,
    /// Attention heads of each stage.
    #[config(range = 1..)]
    pub num_heads: Option<Vec<i64>>,
    /// Width and height of the windows, in patches.
    #[config(range = 1..)]
    pub window_size: Option<i64>,
    /// Probability of dropping the last block's branches for a sample; it grows with the depth from 0.
    #[config(range = 0.0..=1.0)]
    pub drop_path_rate: Option<f64>,
    /// Dropout after the embeddings and after each part of a block.
    #[config(range = 0.0..=1.0)]
    pub hidden_dropout_prob: Option<f64>,
    /// Dropout of the attention weights.
    #[config(range = 0.0..=1.0)]
    pub attention_probs_dropout_prob: Option<f64>,
}

/// `swin-classifier`.
pub struct SwinClassifier;

impl HubArchitecture for SwinClassifier {
    const ID: &'static str = "swin-classifier";
    const DESCRIPTION: &'static str = "Swin with the names of transformers' SwinForImageClassification";
    const TYPES: &'static [&'static str] = &["swin"];
    const CLASS: &'static str = "SwinForImageClassification";
    const BASE: &'static str = "swin";
    type Options = SwinHubOptions;

    fn options(options: &SwinHubOptions) -> &HubOptions {
        &options.options
    }

    fn build(own: &SwinHubOptions, file: &HubFile, parts: &mut Parts) -> Result<i64> {
        let sizes = Sizes::read(own, file)?;
        let base = parts.base().clone();
        base.module("SwinModel")?;
        let embeddings = Embeddings::new(&(&base / "embeddings"), own, file, &sizes)?;
        parts.stage("embeddings", &["embeddings"], vec![Box::new(embeddings)]);
        parts.unused("embeddings.mask_token");
        let encoder = &base / "encoder";
        encoder.module("SwinEncoder")?;
        (&encoder / "layers").module("ModuleList")?;
        let blocks = sizes.depths.iter().sum::<i64>();
        let (mut number, mut features, mut side) = (0, sizes.features, sizes.side);
        let last = sizes.depths.len() - 1;
        for (index, (depth, heads)) in sizes.depths.iter().zip(&sizes.heads).enumerate() {
            let path = &encoder / "layers" / index;
            path.module("SwinStage")?;
            (&path / "blocks").module("ModuleList")?;
            let shape = sizes.shape(own, file, features, *heads)?;
            let mut layers: Vec<Box<dyn nn::Module>> = Vec::new();
            for block in 0..*depth {
                let shift = if block % 2 == 0 { 0 } else { sizes.window / 2 };
                let grid = Grid::new(side, sizes.window, shift);
                let drop = sizes.drop * number as f64 / (blocks - 1).max(1) as f64;
                layers.push(Box::new(Block::new(&(&path / "blocks" / block), shape, grid, drop)?));
                // A table of places that older files hold.
                let name = format!("encoder.layers.{index}.blocks.{block}");
                parts.unused(&format!("{name}.attention.self.relative_position_index"));
                parts.newer_names(&name, &name, "attention.self");
                number += 1;
            }
            if index < last {
                layers.push(Box::new(Merging::new(&(&path / "downsample"), features, side)?));
                (features, side) = (2 * features, (side + 1) / 2);
            }
            parts.stage(format!("stage{index}"), &[&format!("encoder.layers.{index}")], layers);
        }
        let eps = file.number("layer_norm_eps", None, 1e-5)?;
        let norm = nn::LayerNorm::new(&(&base / "layernorm"), features, eps)?;
        // transformers has an average pooling here.
        (&base / "pooler").module("AdaptiveAvgPool1d")?;
        let mean = Step(|x: &Tensor| Ok(x.f_mean_dim([1_i64].as_slice(), false, None::<Kind>)?));
        parts.stage("pool", &["layernorm", "pooler"], vec![Box::new(norm), Box::new(mean)]);
        Ok(features)
    }
}

struct Sizes {
    /// Tokens in a row of the first stage.
    side: i64,
    features: i64,
    depths: Vec<i64>,
    heads: Vec<i64>,
    window: i64,
    drop: f64,
}

impl Sizes {
    fn read(own: &SwinHubOptions, file: &HubFile) -> Result<Self> {
        let size = file.side("image_size", own.options.image_size, 224)?;
        let patch = file.side("patch_size", own.patch_size, 4)?;
        let depths = file.list("depths", own.depths.as_deref(), &[2, 2, 6, 2])?;
        let heads = file.list("num_heads", own.num_heads.as_deref(), &[3, 6, 12, 24])?;
        if depths.is_empty() || depths.len() != heads.len() {
            let message = format!("depths has {} stages, num_heads {}", depths.len(), heads.len());
            return Err(config_error(message));
        }
        if size % patch != 0 {
            let message =
                format!("image_size is {size}, expected a multiple of patch_size, which is {patch}");
            return Err(config_error(message));
        }
        Ok(Self {
            side: size / patch,
            features: file.integer("embed_dim", own.embed_dim, 96)?,
            depths,
            heads,
            window: file.integer("window_size", own.window_size, 7)?,
            drop: file.number("drop_path_rate", own.drop_path_rate, 0.1)?,
        })
    }

    fn shape(&self, own: &SwinHubOptions, file: &HubFile, features: i64, heads: i64) -> Result<LayerShape> {
        if features % heads != 0 {
            let message = format!("a stage of {features} features cannot be split among {heads} heads");
            return Err(config_error(message));
        }
        let ratio = file.number("mlp_ratio", None, 4.0)?;
        let attention = own.attention_probs_dropout_prob;
        Ok(LayerShape {
            features,
            heads,
            hidden: (ratio * features as f64) as i64,
            activation: file.activation("gelu")?,
            layer_norm_eps: file.number("layer_norm_eps", None, 1e-5)?,
            hidden_dropout: file.number("hidden_dropout_prob", own.hidden_dropout_prob, 0.0)?,
            attention_dropout: file.number("attention_probs_dropout_prob", attention, 0.0)?,
            initializer_range: file.number("initializer_range", None, 0.02)?,
            bias: if file.flag("qkv_bias", true)? { Bias::Learned } else { Bias::None },
        })
    }
}

/// Pictures to tokens `[N, L, F]`.
struct Embeddings {
    projection: nn::Conv2d,
    norm: nn::LayerNorm,
    /// `[1, L, F]`, where the file asks for it.
    positions: Option<Tensor>,
    dropout: nn::Dropout,
    side: i64,
}

impl Embeddings {
    fn new(path: &nn::Path, own: &SwinHubOptions, file: &HubFile, sizes: &Sizes) -> Result<Self> {
        let Sizes { side, features, .. } = *sizes;
        let patch = file.side("patch_size", own.patch_size, 4)?;
        let module = path.module("SwinEmbeddings")?;
        let positions = file
            .flag("use_absolute_embeddings", false)?
            .then(|| module.parameter("position_embeddings", nn::init::zeros(&[1, side * side, features])?));
        let within = path / "patch_embeddings";
        within.module("SwinPatchEmbeddings")?;
        let std = file.number("initializer_range", None, 0.02)?;
        let projection = patches(&(&within / "projection"), 3, features, patch, std)?;
        let norm = nn::LayerNorm::new(&(path / "norm"), features, EPS)?;
        let dropout = file.number("hidden_dropout_prob", own.hidden_dropout_prob, 0.0)?;
        let dropout = nn::Dropout::new(&(path / "dropout"), dropout)?;
        Ok(Self { projection, norm, positions: positions.transpose()?, dropout, side })
    }
}

impl nn::Module for Embeddings {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let patches = self.projection.forward(input)?;
        let (_, _, height, width) = patches.size4()?;
        let side = self.side;
        ensure!(
            [height, width] == [side; 2],
            "the model is built for pictures of {side} x {side} patches, found {width} x {height}: \
             `image_size` has to be the same in [model] and [data]"
        );
        let mut tokens = self.norm.forward(&patches.f_flatten(2, -1)?.f_transpose(1, 2)?)?;
        if let Some(positions) = &self.positions {
            tokens = tokens.f_add(positions)?;
        }
        self.dropout.forward(&tokens)
    }
}

/// Four neighbours to one token of twice the features.
struct Merging {
    reduction: nn::Linear,
    norm: nn::LayerNorm,
    side: i64,
}

impl Merging {
    fn new(path: &nn::Path, features: i64, side: i64) -> Result<Self> {
        path.module("SwinPatchMerging")?;
        let weight = nn::init::normal(&[2 * features, 4 * features], 0.02)?;
        let reduction = nn::Linear::with_values(&(path / "reduction"), weight, None)?;
        Ok(Self { reduction, norm: nn::LayerNorm::new(&(path / "norm"), 4 * features, EPS)?, side })
    }
}

impl nn::Module for Merging {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (batch, _, features) = input.size3()?;
        let odd = self.side % 2;
        let grid = input.f_view([batch, self.side, self.side, features])?;
        let grid = if odd == 0 { grid } else { grid.f_constant_pad_nd([0, 0, 0, odd, 0, odd])? };
        let end = self.side + odd;
        let mut quarters = Vec::new();
        for column in 0..2 {
            for row in 0..2 {
                quarters.push(grid.f_slice(1, row, end, 2)?.f_slice(2, column, end, 2)?);
            }
        }
        let merged = Tensor::f_cat(&quarters, -1)?.f_reshape([batch, -1, 4 * features])?;
        self.reduction.forward(&self.norm.forward(&merged)?)
    }
}
