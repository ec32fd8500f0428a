//! The vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words") with torchvision's names.

mod encoder;

use encoder::{EncoderBlock, EncoderShape, PatchEmbedding};
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

use crate::classifier::{Architecture, LastLayer, Options, Trunk, defaults, imagenet_input};
use crate::timm;

/// The keys of vision transformers.
#[derive(Config, Clone, Debug)]
pub struct VitOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: Options,
    /// Probability of the dropouts in the encoder (torchvision's `dropout`).
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub encoder_dropout: f64,
    /// Probability of the dropout of attention weights.
    #[config(default = 0.0, range = 0.0..=1.0)]
    pub attention_dropout: f64,
    /// Width and height of a patch, in pixels.
    #[config(default = 16, range = 1..=4096)]
    pub patch_size: i64,
    /// Blocks of the encoder.
    #[config(default = 12, range = 1..=1024)]
    pub num_layers: usize,
    /// Attention heads of each block.
    #[config(default = 12, range = 1..=1024)]
    pub num_heads: i64,
    /// Features of a token.
    #[config(default = 768, range = 1..=65_536)]
    pub hidden_dim: i64,
    /// Width of the hidden layer of each block's perceptron.
    #[config(default = 3072, range = 1..=262_144)]
    pub mlp_dim: i64,
    /// Features of a hidden layer with tanh before the last layer; none is no such layer.
    #[config(range = 1..=65_536)]
    pub representation_size: Option<i64>,
}

/// Builds a vision transformer.
///
/// # Errors
/// Pictures that are no whole number of patches, features that are no whole number for each head.
fn build(options: &VitOptions, trunk: &mut Trunk) -> Result<()> {
    let &VitOptions { patch_size, num_heads, hidden_dim, .. } = options;
    let size = options.options.image_size;
    if size % patch_size != 0 {
        let found = format_args!(
            "`image_size` is {size}, expected a multiple of `patch_size`, which is {patch_size}"
        );
        return Err(Error::of(ErrorKind::Config, found));
    }
    if hidden_dim % num_heads != 0 {
        let found = format_args!(
            "`hidden_dim` is {hidden_dim}, expected a multiple of `num_heads`, which is {num_heads}"
        );
        return Err(Error::of(ErrorKind::Config, found));
    }
    trunk.stage("stem");
    let embedding = PatchEmbedding::new(trunk, patch_size, hidden_dim, size, options.encoder_dropout)?;
    trunk.run(["class_token", "conv_proj", "encoder.pos_embedding", "encoder.dropout"], embedding);
    trunk.position_grid("encoder.pos_embedding", 1);
    trunk.place("encoder.layers").module("Sequential")?;
    let encoder = EncoderShape {
        features: hidden_dim,
        heads: num_heads,
        hidden: options.mlp_dim,
        dropout: options.encoder_dropout,
        attention_dropout: options.attention_dropout,
    };
    for index in 0..options.num_layers {
        trunk.stage(format!("layer{}", index + 1));
        trunk.layer(&format!("encoder.layers.encoder_layer_{index}"), |path| {
            EncoderBlock::new(path, encoder)
        })?;
    }
    trunk.stage("norm");
    trunk.layer("encoder.ln", |path| nn::LayerNorm::new(path, hidden_dim, encoder::EPS))?;
    // The class token's features.
    trunk.function(|tokens| Ok(tokens.f_select(1, 0)?));
    let features = match options.representation_size {
        Some(size) => {
            trunk.place("heads").module("Sequential")?;
            trunk.stage("pre_logits");
            trunk.layer("heads.pre_logits", |path| {
                let std = (1.0 / hidden_dim as f64).sqrt();
                let weight = nn::init::truncated_normal(&[size, hidden_dim], std, -2.0, 2.0)?;
                nn::Linear::with_values(path, weight, Some(nn::init::zeros(&[size])?))
            })?;
            trunk.layer("heads.act", |path| nn::Activation::new(path, nn::ActivationKind::Tanh))?;
            size
        }
        None => hidden_dim,
    };
    timm::vision_transformer(trunk, options.num_layers);
    trunk.classify(LastLayer { weight: Some(nn::init::zeros), ..LastLayer::new("heads.head", features) })
}

/// torchvision's preparation, with the size that the shorter side has before the crop.
fn torchvision(resize: f64) -> InputDefaults {
    imagenet_input(224.0 / resize, "bilinear")
}

/// timm's preparation for vision transformers: pictures in -1..1.
fn of_timm() -> InputDefaults {
    InputDefaults { mean: Some([0.5; 3]), std: Some([0.5; 3]), ..imagenet_input(0.9, "bicubic") }
}

macro_rules! variants {
    ($($name:ident, $id:literal, $description:literal, [$patch:literal, $layers:literal, $heads:literal,
        $features:literal, $hidden:literal], $input:expr, $other:literal;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const OTHER_NAMES: &'static [&'static str] = &[$other];
            const KIND: &'static str = "VisionTransformer";
            const IS_SEQUENTIAL: bool = false;
            type Options = VitOptions;

            fn defaults() -> Map<String, Value> {
                let sizes =
                    [("patch_size", $patch), ("num_layers", $layers), ("num_heads", $heads), ("hidden_dim",
                        $features), ("mlp_dim", $hidden)];
                defaults(sizes.map(|(key, size)| (key, json!(size))))
            }

            fn options(options: &VitOptions) -> &Options {
                &options.options
            }

            fn input() -> InputDefaults {
                $input
            }

            fn build(options: &VitOptions, trunk: &mut Trunk) -> Result<()> {
                build(options, trunk)
            }
        }
    )*};
}

variants! {
    VitB16, "vit-b-16", "Vision transformer Base, patches of 16 pixels, as torchvision's \
                         vit_b_16", [16, 12, 12, 768, 3072], torchvision(256.0), "vit_base_patch16_224";
    VitB32, "vit-b-32", "Vision transformer Base, patches of 32 pixels, as torchvision's \
                         vit_b_32", [32, 12, 12, 768, 3072], torchvision(256.0), "vit_base_patch32_224";
    VitL16, "vit-l-16", "Vision transformer Large, patches of 16 pixels, as torchvision's \
                         vit_l_16", [16, 24, 16, 1024, 4096], torchvision(242.0), "vit_large_patch16_224";
    VitL32, "vit-l-32", "Vision transformer Large, patches of 32 pixels, as torchvision's \
                         vit_l_32", [32, 24, 16, 1024, 4096], torchvision(256.0), "vit_large_patch32_224";
    VitTi16, "vit-ti-16", "Vision transformer Tiny, patches of 16 pixels, as timm's \
                           vit_tiny_patch16_224", [16, 12, 3, 192, 768], of_timm(), "vit_tiny_patch16_224";
    VitS16, "vit-s-16", "Vision transformer Small, patches of 16 pixels, as timm's \
                         vit_small_patch16_224", [16, 12, 6, 384, 1536], of_timm(), "vit_small_patch16_224";
}
