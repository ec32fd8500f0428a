//! Activations of the feed-forward parts, by the names that a `config.json` uses.

use thaw_plugin_api::nn;
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::Tensor;

use crate::config::SizeError;

/// An activation of a feed-forward part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HiddenActivation {
    /// Exact GELU.
    Gelu,
    /// GELU through tanh.
    GeluTanh,
    /// `nn.ReLU`.
    Relu,
    /// `nn.SiLU`.
    Silu,
    /// `nn.Tanh`.
    Tanh,
}

impl HiddenActivation {
    /// The activation of a name; `key` says where the name stands.
    ///
    /// # Errors
    /// A name that is not known; the known ones are told.
    pub fn named(key: &str, name: &str) -> Result<Self, SizeError> {
        Ok(match name {
            "gelu" | "gelu_python" => Self::Gelu,
            "gelu_new" | "gelu_pytorch_tanh" => Self::GeluTanh,
            "relu" => Self::Relu,
            "silu" | "swish" => Self::Silu,
            "tanh" => Self::Tanh,
            _ => return Err(SizeError::Sizes(format!("`{key}` is `{name}`, expected one of gelu, gelu_new, relu, silu, tanh"))),
        })
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gelu => "gelu",
            Self::GeluTanh => "gelu_new",
            Self::Relu => "relu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
        }
    }

    /// Gives it a place in the module tree, under transformers' class name.
    pub(super) fn register(self, path: &nn::Path) -> Result<()> {
        let class = match self {
            Self::Gelu => "GELUActivation",
            Self::GeluTanh => "NewGELUActivation",
            Self::Relu => "ReLU",
            Self::Silu => "SiLUActivation",
            Self::Tanh => "Tanh",
        };
        path.module(class).map(drop)
    }

    /// Applies it.
    ///
    /// # Errors
    /// libtorch refuses the input.
    pub fn apply(self, input: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::Gelu => input.f_gelu("none")?,
            Self::GeluTanh => input.f_gelu("tanh")?,
            Self::Relu => input.f_relu()?,
            Self::Silu => input.f_silu()?,
            Self::Tanh => input.f_tanh()?,
        })
    }
}
