//! Modules without parameters: pooling, flattening, nothing.

use tch::Tensor;

use super::{Module, Path};
use crate::error::Result;

/// `nn.MaxPool2d` with a square window.
pub struct MaxPool2d {
    kernel_size: i64,
    stride: i64,
    padding: i64,
}

impl MaxPool2d {
    /// Registers the pooling.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn new(path: &Path, kernel_size: i64, stride: i64, padding: i64) -> Result<Self> {
        path.module("MaxPool2d")?;
        Ok(Self { kernel_size, stride, padding })
    }
}

impl Module for MaxPool2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        let (kernel, stride, padding) = ([self.kernel_size; 2], [self.stride; 2], [self.padding; 2]);
        Ok(input.f_max_pool2d(kernel, stride, padding, [1, 1], false)?)
    }
}

/// `nn.AdaptiveAvgPool2d` to a square of this size.
pub struct AdaptiveAvgPool2d(i64);

impl AdaptiveAvgPool2d {
    /// Registers the pooling.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn new(path: &Path, output_size: i64) -> Result<Self> {
        path.module("AdaptiveAvgPool2d")?;
        Ok(Self(output_size))
    }
}

impl Module for AdaptiveAvgPool2d {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_adaptive_avg_pool2d([self.0, self.0])?)
    }
}

/// `nn.Flatten`: everything but the samples in one dimension.
pub struct Flatten(());

impl Flatten {
    /// Registers the flattening.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn new(path: &Path) -> Result<Self> {
        path.module("Flatten")?;
        Ok(Self(()))
    }
}

impl Module for Flatten {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.f_flatten(1, -1)?)
    }
}

/// `nn.Identity`: its input.
pub struct Identity(());

impl Identity {
    /// Registers the module.
    ///
    /// # Errors
    /// There is a module at this place already.
    pub fn new(path: &Path) -> Result<Self> {
        path.module("Identity")?;
        Ok(Self(()))
    }
}

impl Module for Identity {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        Ok(input.shallow_clone())
    }
}
