//! The vision transformer as transformers' `ViTForImageClassification`.

use tch::Tensor;
use thaw_plugin_api::config::Config;
use thaw_plugin_api::prelude::*;

use super::attention::{Attention, Bias, LayerShape, Perceptron};
use super::file::{HubFile, config_error};
use super::model::{HubArchitecture, HubOptions, Parts, Step, patches};

/// The keys of vision transformers; what is not given is that of `config`, else of vit-base-patch16-224.
#[derive(Config, Clone, Debug)]
pub struct VitHubOptions {
    /// The keys that all models share.
    #[config(flatten)]
    pub options: HubOptions,
    /// Width and height of a patch, in pixels.
    #[config(range = 1..)]
    pub patch_size: Option<i64>,
    /// Features of a token.
    #[config(range = 1..)]
    pub hidden_size: Option<i64>,
    /// Layers of the encoder.
    #[config(range = 1..)]
    pub num_hidden_layers: Option<i64>,
    /// Attention heads; they divide `hidden_size`.
    #[config(range = 1..)]
    pub num_attention_heads: Option<i64>,
    /// Features inside of each layer's perceptron.
    #[config(range = 1..)]
    pub intermediate_size: Option<i64>,
    /// Dropout after the embeddings and after each part of a layer.
    #[config(range = 0.0..=1.0)]
    pub hidden_dropout_prob: Option<f64>,
    /// Dropout of the attention weights.
    #[config(range = 0.0..=1.0)]
    pub attention_probs_dropout_prob: Option<f64>,
}

/// `vit-classifier`.
pub struct VitClassifier;

impl HubArchitecture for VitClassifier {
    const ID: &'static str = "vit-classifier";
    const DESCRIPTION: &'static str = "Vision transformer with the names of transformers' \
                                       ViTForImageClassification";
    const TYPES: &'static [&'static str] = &["vit"];
    const CLASS: &'static str = "ViTForImageClassification";
    const BASE: &'static str = "vit";
    type Options = VitHubOptions;

    fn options(options: &VitHubOptions) -> &HubOptions {
        &options.options
    }

    fn build(own: &VitHubOptions, file: &HubFile, parts: &mut Parts) -> Result<i64> {
        let size = file.side("image_size", own.options.image_size, 224)?;
        let patch = file.side("patch_size", own.patch_size, 16)?;
        let features = file.integer("hidden_size", own.hidden_size, 768)?;
        let heads = file.integer("num_attention_heads", own.num_attention_heads, 12)?;
        if features % heads != 0 {
            let message = format!("hidden_size is {features}, expected a multiple of the {heads} heads");
            return Err(config_error(message));
        }
        let bias = if file.flag("qkv_bias", true)? { Bias::Learned } else { Bias::None };
        let attention = own.attention_probs_dropout_prob;
        let shape = LayerShape {
            features,
            heads,
            hidden: file.integer("intermediate_size", own.intermediate_size, 3072)?,
            activation: file.activation("gelu")?,
            layer_norm_eps: file.number("layer_norm_eps", None, 1e-12)?,
            hidden_dropout: file.number("hidden_dropout_prob", own.hidden_dropout_prob, 0.0)?,
            attention_dropout: file.number("attention_probs_dropout_prob", attention, 0.0)?,
            initializer_range: file.number("initializer_range", None, 0.02)?,
            bias,
        };
        let base = parts.base().clone();
        base.module("ViTModel")?;
        let embeddings = Embeddings::new(&(&base / "embeddings"), size, patch, shape)?;
        parts.stage("embeddings", &["embeddings"], vec![Box::new(embeddings)]);
        parts.position_grid("embeddings.position_embeddings", 1);
        parts.unused("embeddings.mask_token");
        let encoder = &base / "encoder";
        encoder.module("ViTEncoder")?;
        let list = &encoder / "layer";
        list.module("ModuleList")?;
        for index in 0..file.integer("num_hidden_layers", own.num_hidden_layers, 12)? {
            let layer = Layer::new(&(&list / index), shape)?;
            let name = format!("encoder.layer.{index}");
            parts.stage(format!("layer{index}"), &[&name], vec![Box::new(layer)]);
            parts.newer_names(&format!("layers.{index}"), &name, "attention.attention");
        }
        let norm = nn::LayerNorm::new(&(&base / "layernorm"), features, shape.layer_norm_eps)?;
        let class_token = Step(|tokens: &Tensor| Ok(tokens.f_select(1, 0)?));
        parts.stage("norm", &["layernorm"], vec![Box::new(norm), Box::new(class_token)]);
        Ok(features)
    }
}

/// Pictures to tokens: patches, the class token before them, their positions added.
struct Embeddings {
    projection: nn::Conv2d,
    /// `[1, 1, features]`
    class_token: Tensor,
    /// `[1, patches + 1, features]`
    positions: Tensor,
    dropout: nn::Dropout,
    size: i64,
}

impl Embeddings {
    fn new(path: &nn::Path, size: i64, patch: i64, shape: LayerShape) -> Result<Self> {
        let LayerShape { features, initializer_range: std, .. } = shape;
        let module = path.module("ViTEmbeddings")?;
        let class_token = module.parameter("cls_token", nn::init::normal(&[1, 1, features], std)?)?;
        let tokens = (size / patch).pow(2) + 1;
        let positions =
            module.parameter("position_embeddings", nn::init::normal(&[1, tokens, features], std)?)?;
        let own = path / "patch_embeddings";
        own.module("ViTPatchEmbeddings")?;
        let projection = patches(&(&own / "projection"), 3, features, patch, std)?;
        let dropout = nn::Dropout::new(&(path / "dropout"), shape.hidden_dropout)?;
        Ok(Self { projection, class_token, positions, dropout, size })
    }
}

impl nn::Module for Embeddings {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (batch, _, height, width) = input.size4()?;
        let size = self.size;
        ensure!(
            [height, width] == [size; 2],
            "the model is built for pictures of {size} x {size} pixels, found {width} x {height}: \
             `image_size` has to be the same in [model] and [data]"
        );
        let patches = self.projection.forward(input)?.f_flatten(2, -1)?.f_transpose(1, 2)?;
        let class_tokens = self.class_token.f_expand([batch, -1, -1], false)?;
        let tokens = Tensor::f_cat(&[class_tokens, patches], 1)?;
        self.dropout.forward(&tokens.f_add(&self.positions)?)
    }
}

/// Attention and a perceptron, each after a layer norm, each added to its input.
struct Layer {
    attention: Attention,
    perceptron: Perceptron,
    before: nn::LayerNorm,
    after: nn::LayerNorm,
}

impl Layer {
    fn new(path: &nn::Path, shape: LayerShape) -> Result<Self> {
        path.module("ViTLayer")?;
        let attention = path / "attention";
        attention.module("ViTAttention")?;
        let own = &attention / "attention";
        own.module("ViTSelfAttention")?;
        let projections = Attention::projections(&own, shape)?;
        let output = &attention / "output";
        output.module("ViTSelfOutput")?;
        Ok(Self {
            attention: Attention::new(&own, projections, &output, shape)?,
            perceptron: Perceptron::new(path, "ViT", shape)?,
            before: nn::LayerNorm::new(&(path / "layernorm_before"), shape.features, shape.layer_norm_eps)?,
            after: nn::LayerNorm::new(&(path / "layernorm_after"), shape.features, shape.layer_norm_eps)?,
        })
    }
}

impl nn::Module for Layer {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let attended = self.attention.forward(&self.before.forward(input)?, None)?.f_add(input)?;
        Ok(self.perceptron.forward(&self.after.forward(&attended)?)?.f_add(&attended)?)
    }
}
