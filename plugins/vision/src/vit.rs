//! The vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words") with torchvision's names.

mod encoder;

use encoder::{EncoderBlock, EncoderShape, PatchEmbedding};
use thaw_plugin_api::config::Config;
use thaw_plugin_api::model::InputDefaults;
use thaw_plugin_api::prelude::*;

use crate::classifier::{Architecture, LastLayer, Options, Trunk, imagenet_input};

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
}

/// What tells one variant from another.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Side of a patch.
    patch: i64,
    layers: usize,
    heads: i64,
    features: i64,
    /// Width of the hidden layer of each block's perceptron.
    hidden: i64,
}

/// Builds the variant of this shape.
///
/// # Errors
/// Pictures that are no whole number of patches.
fn build(shape: Shape, options: &VitOptions, trunk: &mut Trunk) -> Result<()> {
    let size = options.options.image_size;
    if size % shape.patch != 0 {
        let found = format_args!("`image_size` is {size}, expected a multiple of the patches' {} pixels", shape.patch);
        return Err(Error::of(ErrorKind::Config, found));
    }
    trunk.stage("stem");
    let embedding = PatchEmbedding::new(trunk, shape.patch, shape.features, size, options.encoder_dropout)?;
    trunk.run(["class_token", "conv_proj", "encoder.pos_embedding", "encoder.dropout"], embedding);
    trunk.position_grid("encoder.pos_embedding", 1);
    trunk.place("encoder.layers").module("Sequential")?;
    let encoder = EncoderShape {
        features: shape.features,
        heads: shape.heads,
        hidden: shape.hidden,
        dropout: options.encoder_dropout,
        attention_dropout: options.attention_dropout,
    };
    for index in 0..shape.layers {
        trunk.stage(format!("layer{}", index + 1));
        trunk.layer(&format!("encoder.layers.encoder_layer_{index}"), |path| EncoderBlock::new(path, encoder))?;
    }
    trunk.stage("norm");
    trunk.layer("encoder.ln", |path| nn::LayerNorm::new(path, shape.features, encoder::EPS))?;
    // The class token's features.
    trunk.function(|tokens| Ok(tokens.f_select(1, 0)?));
    trunk.classify(LastLayer { weight: Some(nn::init::zeros), ..LastLayer::new("heads.head", shape.features) })
}

macro_rules! variants {
    ($($name:ident, $id:literal, $description:literal, [$patch:literal, $layers:literal, $heads:literal, $features:literal, $hidden:literal], $resize:literal;)*) => {$(
        #[doc = $description]
        pub struct $name;

        impl Architecture for $name {
            const ID: &'static str = $id;
            const DESCRIPTION: &'static str = $description;
            const KIND: &'static str = "VisionTransformer";
            const IS_SEQUENTIAL: bool = false;
            type Options = VitOptions;

            fn options(options: &VitOptions) -> &Options {
                &options.options
            }

            fn input() -> InputDefaults {
                imagenet_input(224.0 / $resize, "bilinear")
            }

            fn build(options: &VitOptions, trunk: &mut Trunk) -> Result<()> {
                build(Shape { patch: $patch, layers: $layers, heads: $heads, features: $features, hidden: $hidden }, options, trunk)
            }
        }
    )*};
}

variants! {
    VitB16, "vit-b-16", "Vision transformer Base, patches of 16 pixels, as torchvision's vit_b_16", [16, 12, 12, 768, 3072], 256.0;
    VitB32, "vit-b-32", "Vision transformer Base, patches of 32 pixels, as torchvision's vit_b_32", [32, 12, 12, 768, 3072], 256.0;
    VitL16, "vit-l-16", "Vision transformer Large, patches of 16 pixels, as torchvision's vit_l_16", [16, 24, 16, 1024, 4096], 242.0;
    VitL32, "vit-l-32", "Vision transformer Large, patches of 32 pixels, as torchvision's vit_l_32", [32, 24, 16, 1024, 4096], 256.0;
}
