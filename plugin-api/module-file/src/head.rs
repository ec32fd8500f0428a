//! A new head on what the file gives.

use tch::Tensor;
use thaw_plugin_api::nn::{self, Activation, ActivationKind, Dropout, Linear, Module, Sequential};
use thaw_plugin_api::prelude::*;

use crate::{Head, ModuleConfig};

/// Features to logits.
pub struct NewHead {
    layers: Sequential,
    features: i64,
}

impl NewHead {
    /// A head for so many features at `path`.
    ///
    /// # Errors
    /// Sizes that libtorch refuses.
    pub fn new(path: &nn::Path, config: &ModuleConfig, features: i64, num_classes: i64) -> Result<Self> {
        let layers = Sequential::new(path, |head| match config.head {
            Head::Linear => {
                head.push(|path| Dropout::new(path, config.dropout))?;
                head.push(|path| Linear::new(path, features, num_classes))
            }
            Head::Mlp => {
                head.push(|path| Linear::new(path, features, config.mlp_features))?;
                head.push(|path| Activation::new(path, ActivationKind::ReLU))?;
                head.push(|path| Dropout::new(path, config.dropout))?;
                head.push(|path| Linear::new(path, config.mlp_features, num_classes))
            }
        })?;
        Ok(Self { layers, features })
    }

    /// Logits `[N, num_classes]` of the features.
    ///
    /// # Errors
    /// Features of another shape.
    pub fn forward(&self, features: &Tensor) -> Result<Tensor> {
        let pooled = pool(features)?;
        if pooled.size()[1] != self.features {
            let error = Error::new(format_args!(
                "the head takes {} features, the file gives {}",
                self.features,
                pooled.size()[1]
            ));
            return Err(error.help(
                "the number depends on the size of the input: set `image_size` or `input_shape` to the \
                 data's",
            ));
        }
        self.layers.forward(&pooled)
    }
}

/// Features `[N, C]`: of maps `[N, C, H, W]` the mean over places, of sequences `[N, T, C]` the mean over
/// time.
///
/// # Errors
/// Features of another shape.
pub fn pool(features: &Tensor) -> Result<Tensor> {
    match features.dim() {
        2 => Ok(features.shallow_clone()),
        3 => Ok(features.f_mean_dim([1_i64].as_slice(), false, features.kind())?),
        4 => Ok(features.f_mean_dim([2_i64, 3].as_slice(), false, features.kind())?),
        _ => {
            let error = Error::new(format_args!(
                "the file gives a tensor {:?}, a new head takes [N, C], [N, C, H, W] or [N, T, C]",
                features.size()
            ));
            Err(error.help("choose another output with `output`, or another part of the file with `module`"))
        }
    }
}
