//! Activations as modules.

use tch::Tensor;

use super::{Module, Path};
use crate::error::Result;

/// Which activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActivationKind {
    /// `nn.ReLU`.
    ReLU,
    /// `nn.ReLU6`.
    ReLU6,
    /// `nn.SiLU`.
    SiLU,
    /// `nn.GELU`, exact.
    GELU,
    /// `nn.Hardswish`.
    Hardswish,
    /// `nn.Hardsigmoid`.
    Hardsigmoid,
    /// `nn.Sigmoid`.
    Sigmoid,
    /// `nn.Tanh`.
    Tanh,
}

impl ActivationKind {
    /// PyTorch's class name.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReLU => "ReLU",
            Self::ReLU6 => "ReLU6",
            Self::SiLU => "SiLU",
            Self::GELU => "GELU",
            Self::Hardswish => "Hardswish",
            Self::Hardsigmoid => "Hardsigmoid",
            Self::Sigmoid => "Sigmoid",
            Self::Tanh => "Tanh",
        }
    }

    /// Applies it.
    ///
    /// # Errors
    /// libtorch refuses the input.
    pub fn apply(self, input: &Tensor) -> Result<Tensor> {
        Ok(match self {
            Self::ReLU => input.f_relu()?,
            Self::ReLU6 => input.f_relu6()?,
            Self::SiLU => input.f_silu()?,
            Self::GELU => input.f_gelu("none")?,
            Self::Hardswish => input.f_hardswish()?,
            Self::Hardsigmoid => input.f_hardsigmoid()?,
            Self::Sigmoid => input.f_sigmoid()?,
            Self::Tanh => input.f_tanh()?,
        })
    }

    /// Applies it to a tensor that nothing else needs, in place where autograd can do without the input.
    ///
    /// # Errors
    /// libtorch refuses the input.
    pub fn apply_in_place(self, mut input: Tensor) -> Result<Tensor> {
        match self {
            Self::ReLU => Ok(input.f_relu_()?),
            Self::ReLU6 => Ok(input.f_relu6_()?),
            _ => self.apply(&input),
        }
    }
}

/// An activation with a place in the module tree.
pub struct Activation(ActivationKind);

impl Activation {
    /// Registers the activation.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn new(path: &Path, kind: ActivationKind) -> Result<Self> {
        path.module(kind.name())?;
        Ok(Self(kind))
    }
}

impl Module for Activation {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.0.apply(input)
    }
}
