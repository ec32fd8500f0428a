//! Attention and perceptron of the vision transformer and of Swin, whose modules transformers names alike.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use super::model::linear;

/// Sizes of a layer.
#[derive(Clone, Copy, Debug)]
pub(super) struct LayerShape {
    pub features: i64,
    pub heads: i64,
    /// Features inside of the perceptron.
    pub hidden: i64,
    pub activation: nn::ActivationKind,
    pub layer_norm_eps: f64,
    pub hidden_dropout: f64,
    pub attention_dropout: f64,
    pub initializer_range: f64,
    pub bias: Bias,
}

/// Whether query, key and value have a bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bias {
    Learned,
    None,
}

/// A projection each for query, key and value, and one for what comes of them.
pub(super) struct Attention {
    query: nn::Linear,
    key: nn::Linear,
    value: nn::Linear,
    output: nn::Linear,
    dropout: nn::Dropout,
    output_dropout: nn::Dropout,
    heads: i64,
}

impl Attention {
    /// The projections in `own`, the output in `output`, modules that the caller has registered, in this
    /// order.
    pub(super) fn projections(own: &nn::Path, shape: LayerShape) -> Result<[nn::Linear; 3]> {
        let LayerShape { features, initializer_range: std, .. } = shape;
        let project = |name: &str| {
            let weight = nn::init::normal(&[features, features], std)?;
            let bias = (shape.bias == Bias::Learned).then(|| nn::init::zeros(&[features])).transpose()?;
            nn::Linear::with_values(&(own / name), weight, bias)
        };
        Ok([project("query")?, project("key")?, project("value")?])
    }

    pub(super) fn new(
        own: &nn::Path,
        [query, key, value]: [nn::Linear; 3],
        output: &nn::Path,
        shape: LayerShape,
    ) -> Result<Self> {
        let LayerShape { features, initializer_range: std, .. } = shape;
        Ok(Self {
            query,
            key,
            value,
            dropout: nn::Dropout::new(&(own / "dropout"), shape.attention_dropout)?,
            output: linear(&(output / "dense"), features, features, std)?,
            output_dropout: nn::Dropout::new(&(output / "dropout"), shape.hidden_dropout)?,
            heads: shape.heads,
        })
    }

    /// `[N, L, F]` to `[N, L, F]`; `mask` is added to scores `[N, heads, L, L]`.
    pub(super) fn forward(&self, tokens: &Tensor, mask: Option<Tensor>) -> Result<Tensor> {
        let (batch, length, features) = tokens.size3()?;
        let split = |layer: &nn::Linear| -> Result<Tensor> {
            let heads = [batch, length, self.heads, features / self.heads];
            Ok(nn::Module::forward(layer, tokens)?.f_view(heads)?.f_transpose(1, 2)?)
        };
        let (query, key, value) = (split(&self.query)?, split(&self.key)?, split(&self.value)?);
        let dropout = self.dropout.active_probability();
        let attended =
            Tensor::f_scaled_dot_product_attention(&query, &key, &value, mask, dropout, false, None, false)?;
        let joined = attended.f_transpose(1, 2)?.f_reshape([batch, length, features])?;
        nn::Module::forward(&self.output_dropout, &nn::Module::forward(&self.output, &joined)?)
    }
}

/// Two linear layers with an activation between them: `intermediate` and `output`.
pub(super) struct Perceptron {
    intermediate: nn::Linear,
    activation: nn::ActivationKind,
    output: nn::Linear,
    dropout: nn::Dropout,
}

impl Perceptron {
    /// In a layer at `path`, whose classes begin with `family`.
    pub(super) fn new(path: &nn::Path, family: &str, shape: LayerShape) -> Result<Self> {
        let LayerShape { features, hidden, activation, initializer_range: std, .. } = shape;
        let (between, last) = (path / "intermediate", path / "output");
        between.module(&format!("{family}Intermediate"))?;
        let intermediate = linear(&(&between / "dense"), features, hidden, std)?;
        nn::Activation::new(&(&between / "intermediate_act_fn"), activation)?;
        last.module(&format!("{family}Output"))?;
        Ok(Self {
            intermediate,
            activation,
            output: linear(&(&last / "dense"), hidden, features, std)?,
            dropout: nn::Dropout::new(&(&last / "dropout"), shape.hidden_dropout)?,
        })
    }
}

impl nn::Module for Perceptron {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let between = self.activation.apply(&self.intermediate.forward(input)?)?;
        self.dropout.forward(&self.output.forward(&between)?)
    }
}
