//! The layers of the vision transformer.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use crate::classifier::Trunk;

/// Constant of the layer norms.
pub const EPS: f64 = 1e-6;

/// Pictures to a sequence of tokens: patches through a convolution, the class token before them, their
/// positions added.
pub struct PatchEmbedding {
    conv_proj: nn::Conv2d,
    /// `[1, 1, features]`
    class_token: Tensor,
    /// `[1, patches + 1, features]`
    pos_embedding: Tensor,
    dropout: nn::Dropout,
    image_size: i64,
}

impl PatchEmbedding {
    /// Registers what lies before the encoder's blocks, the encoder itself included.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(trunk: &mut Trunk, patch: i64, features: i64, image_size: i64, dropout: f64) -> Result<Self> {
        let class_token = trunk.module().parameter("class_token", nn::init::zeros(&[1, 1, features])?)?;
        let std = 1.0 / ((3 * patch * patch) as f64).sqrt();
        let weight = nn::init::truncated_normal(&[features, 3, patch, patch], std, -2.0, 2.0)?;
        let options = nn::Conv2dOptions { stride: patch, ..Default::default() };
        let conv_proj = nn::Conv2d::with_values(
            &trunk.place("conv_proj"),
            weight,
            Some(nn::init::zeros(&[features])?),
            options,
        )?;
        let encoder = trunk.place("encoder").module("Encoder")?;
        let length = (image_size / patch).pow(2) + 1;
        let pos_embedding =
            encoder.parameter("pos_embedding", nn::init::normal(&[1, length, features], 0.02)?)?;
        let dropout = nn::Dropout::new(&trunk.place("encoder.dropout"), dropout)?;
        Ok(Self { conv_proj, class_token, pos_embedding, dropout, image_size })
    }
}

impl nn::Module for PatchEmbedding {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (batch, _, height, width) = input.size4()?;
        let size = self.image_size;
        ensure!(
            [height, width] == [size; 2],
            "the model is built for pictures of {size} x {size} pixels, found {width} x {height}: \
             `image_size` has to be the same in [model] and [data]"
        );
        let patches = self.conv_proj.forward(input)?.f_flatten(2, -1)?.f_transpose(1, 2)?;
        let class_tokens = self.class_token.f_expand([batch, -1, -1], false)?;
        let tokens = Tensor::f_cat(&[class_tokens, patches], 1)?;
        self.dropout.forward(&tokens.f_add(&self.pos_embedding)?)
    }
}

/// Sizes of a block.
#[derive(Clone, Copy, Debug)]
pub struct EncoderShape {
    pub features: i64,
    pub heads: i64,
    /// Width of the perceptron's hidden layer.
    pub hidden: i64,
    pub dropout: f64,
    pub attention_dropout: f64,
}

/// A block: attention and a perceptron, each after a layer norm, each added to its input.
pub struct EncoderBlock {
    ln_1: nn::LayerNorm,
    self_attention: nn::MultiheadAttention,
    dropout: nn::Dropout,
    ln_2: nn::LayerNorm,
    mlp: nn::Sequential,
}

impl EncoderBlock {
    /// A block of this shape.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, shape: EncoderShape) -> Result<Self> {
        path.module("EncoderBlock")?;
        let EncoderShape { features, heads, hidden, dropout, attention_dropout } = shape;
        Ok(Self {
            ln_1: nn::LayerNorm::new(&(path / "ln_1"), features, EPS)?,
            self_attention: nn::MultiheadAttention::new(
                &(path / "self_attention"),
                features,
                heads,
                attention_dropout,
            )?,
            dropout: nn::Dropout::new(&(path / "dropout"), dropout)?,
            ln_2: nn::LayerNorm::new(&(path / "ln_2"), features, EPS)?,
            mlp: nn::Sequential::of_kind(&(path / "mlp"), "MLPBlock", |mlp| {
                mlp.push(|path| linear(path, features, hidden))?;
                mlp.push(|path| nn::Activation::new(path, nn::ActivationKind::GELU))?;
                mlp.push(|path| nn::Dropout::new(path, dropout))?;
                mlp.push(|path| linear(path, hidden, features))?;
                mlp.push(|path| nn::Dropout::new(path, dropout))
            })?,
        })
    }
}

/// A linear layer with the perceptron's initial values.
fn linear(path: &nn::Path, input: i64, output: i64) -> Result<nn::Linear> {
    nn::Linear::with_values(
        path,
        nn::init::xavier_uniform(&[output, input])?,
        Some(nn::init::normal(&[output], 1e-6)?),
    )
}

impl nn::Module for EncoderBlock {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let attended =
            self.dropout.forward(&self.self_attention.forward(&self.ln_1.forward(input)?)?)?.f_add(input)?;
        Ok(self.mlp.forward(&self.ln_2.forward(&attended)?)?.f_add(&attended)?)
    }
}
