//! Layers with PyTorch's names, parameters and initial values, over tch's functions (feature `torch`).
//!
//! A layer is built under a [`Path`], which registers its parameters and buffers and gives it a mode of its
//! own. What a layer does in training and in evaluation follows that mode, which belongs to the host.

mod activation;
mod attention;
mod batch_norm;
mod conv;
mod dropout;
mod embedding;
pub mod init;
mod layer_norm;
mod linear;
mod path;
mod pool;
mod registry;
mod sequential;
mod var_store;

pub use activation::{Activation, ActivationKind};
pub use attention::MultiheadAttention;
pub use batch_norm::BatchNorm2d;
pub use conv::{Conv2d, Conv2dOptions};
pub use dropout::{Dropout, StochasticDepth};
pub use embedding::Embedding;
pub use layer_norm::LayerNorm;
pub use linear::Linear;
pub use path::Path;
pub use pool::{AdaptiveAvgPool2d, Flatten, Identity, MaxPool2d};
pub use registry::{Mode, ModuleBuilder, Registry};
pub use sequential::{Sequential, SequentialBuilder};
use tch::Tensor;

use crate::error::Result;

/// A layer: one tensor to one tensor, as PyTorch's `nn.Module.forward`.
pub trait Module: Send {
    /// Runs the layer in its present mode.
    ///
    /// # Errors
    /// libtorch refuses the input, its shape for instance.
    fn forward(&self, input: &Tensor) -> Result<Tensor>;
}

impl<M: Module + ?Sized> Module for Box<M> {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        (**self).forward(input)
    }
}
