//! Tensors, as far as sets have to do with them.

use crate::error::Result;

/// The model's tensors and the arithmetic over them. Nothing here records a gradient.
pub trait TensorValues {
    /// A handle of a tensor.
    type Tensor;

    /// The model's tensor of this name, not a copy.
    ///
    /// # Errors
    /// There is none.
    fn of_model(&mut self, name: &str) -> Result<Self::Tensor>;

    /// The same tensor once more.
    fn shared(&self, tensor: &Self::Tensor) -> Self::Tensor;

    /// A copy of its own.
    ///
    /// # Errors
    /// The memory is too small.
    fn copied(&self, tensor: &Self::Tensor) -> Result<Self::Tensor>;

    /// Writes one's values into the other.
    ///
    /// # Errors
    /// Another shape.
    fn copy(&self, to: &Self::Tensor, from: &Self::Tensor) -> Result<()>;

    /// Moves one by a share of the way to the other.
    ///
    /// # Errors
    /// Another shape.
    fn lerp(&self, average: &Self::Tensor, towards: &Self::Tensor, weight: f64) -> Result<()>;

    /// The sum of the squared differences.
    ///
    /// # Errors
    /// Another shape.
    fn squared_distance(&self, one: &Self::Tensor, other: &Self::Tensor) -> Result<f64>;

    /// Exchanges the values of two.
    ///
    /// # Errors
    /// Another shape, or the memory is too small.
    fn swap(&self, one: &Self::Tensor, other: &Self::Tensor) -> Result<()> {
        let kept = self.copied(one)?;
        self.copy(one, other)?;
        self.copy(other, &kept)
    }
}

/// Names without values: what a run without libtorch has.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithoutValues;

impl TensorValues for WithoutValues {
    type Tensor = ();

    fn of_model(&mut self, _: &str) -> Result<()> {
        Ok(())
    }

    fn shared(&self, (): &()) {}

    fn copied(&self, (): &()) -> Result<()> {
        Ok(())
    }

    fn copy(&self, (): &(), (): &()) -> Result<()> {
        Ok(())
    }

    fn lerp(&self, (): &(), (): &(), _: f64) -> Result<()> {
        Ok(())
    }

    fn squared_distance(&self, (): &(), (): &()) -> Result<f64> {
        Ok(0.0)
    }
}
