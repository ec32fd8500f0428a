//! Heads: what turns features into one logit a class.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

use super::{Head, Options};

/// Makes the initial values of a weight of this shape.
pub type InitialWeight = fn(&[i64]) -> Result<Tensor>;

/// The original's way from features to logits.
pub struct LastLayer {
    /// Name of its last linear layer.
    pub layer: String,
    /// Name of the dropout right before it, where it has one.
    pub dropout: Option<String>,
    /// Features that go in.
    pub features: i64,
    /// Initial weight `[classes, features]` in the original, with a bias of zeros; none is PyTorch's own.
    pub weight: Option<InitialWeight>,
}

impl LastLayer {
    /// A linear layer without a dropout, with PyTorch's initial values.
    pub fn new(layer: impl Into<String>, features: i64) -> Self {
        Self { layer: layer.into(), dropout: None, features, weight: None }
    }
}

/// The original's last layers under its own names: the dropout if there is one, the linear layer.
pub(super) fn last_layer_in_place(
    last: &LastLayer,
    places: &[nn::Path],
    options: &Options,
) -> Result<Vec<Box<dyn nn::Module>>> {
    let mut layers: Vec<Box<dyn nn::Module>> = Vec::new();
    if let ([place, _], Some(_)) = (places, &last.dropout) {
        layers.push(Box::new(nn::Dropout::new(place, options.dropout)?));
    }
    if let Some(place) = places.last() {
        let linear = match last.weight {
            Some(weight) => {
                let bias = nn::init::zeros(&[options.num_classes])?;
                nn::Linear::with_values(place, weight(&[options.num_classes, last.features])?, Some(bias))?
            }
            None => nn::Linear::new(place, last.features, options.num_classes)?,
        };
        layers.push(Box::new(linear));
    }
    Ok(layers)
}

/// The head of a backbone with so many features.
pub(super) fn head_at(path: &nn::Path, features: i64, options: &Options) -> Result<Vec<Box<dyn nn::Module>>> {
    let head = nn::Sequential::new(path, |head| match options.head {
        Head::Linear => {
            head.push(|path| nn::Dropout::new(path, options.dropout))?;
            head.push(|path| nn::Linear::new(path, features, options.num_classes))
        }
        Head::Mlp => {
            head.push(nn::Flatten::new)?;
            head.push(|path| nn::Linear::new(path, features, options.mlp_features))?;
            head.push(|path| nn::Activation::new(path, nn::ActivationKind::ReLU))?;
            head.push(|path| nn::Dropout::new(path, options.mlp_dropout))?;
            head.push(|path| nn::Linear::new(path, options.mlp_features, options.num_classes))
        }
    })?;
    Ok(vec![Box::new(head)])
}
