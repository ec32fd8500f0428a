//! `nn.Sequential`.

use tch::Tensor;

use super::{Module, Path};
use crate::error::{Error, Result};

/// Layers one after the other, named `0`, `1`, … unless given names, as PyTorch's `nn.Sequential`.
pub struct Sequential {
    layers: Vec<(String, Box<dyn Module>)>,
}

impl Sequential {
    /// A sequence, its layers added by `build`.
    ///
    /// ```no_run
    /// # use thaw_plugin_api::prelude::*;
    /// # fn layers(root: &nn::Path) -> Result<nn::Sequential> {
    /// nn::Sequential::new(&(root / "head"), |head| {
    ///     head.push(|path| nn::Linear::new(path, 64, 32))?;
    ///     head.push(|path| nn::Activation::new(path, nn::ActivationKind::ReLU))?;
    ///     head.push(|path| nn::Linear::new(path, 32, 10))
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// There is a module at this place already, or a layer cannot be built.
    pub fn new(path: &Path, build: impl FnOnce(&mut SequentialBuilder<'_>) -> Result<()>) -> Result<Self> {
        Self::of_kind(path, "Sequential", build)
    }

    /// Under the class name `kind`, for a class that derives from `nn.Sequential`.
    ///
    /// # Errors
    /// There is a module at this place already, or a layer cannot be built.
    pub fn of_kind(
        path: &Path,
        kind: &str,
        build: impl FnOnce(&mut SequentialBuilder<'_>) -> Result<()>,
    ) -> Result<Self> {
        path.module(kind)?.iterable();
        let mut builder = SequentialBuilder { path, layers: Vec::new() };
        build(&mut builder)?;
        Ok(Self { layers: builder.layers })
    }

    /// Number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there is no layer.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// Runs the layers `range` alone, for stages.
    ///
    /// # Errors
    /// A range that does not lie within the layers, or a layer that refuses its input.
    pub fn forward_range(&self, range: std::ops::Range<usize>, input: &Tensor) -> Result<Tensor> {
        let outside = || {
            Error::new(format_args!("the layers {range:?} were asked for, there are {}", self.layers.len()))
        };
        let layers = self.layers.get(range.clone()).ok_or_else(outside)?;
        layers.iter().try_fold(input.shallow_clone(), |input, (name, layer)| {
            layer.forward(&input).map_err(|error| error.context(format_args!("layer `{name}`")))
        })
    }
}

/// A sequence being built.
pub struct SequentialBuilder<'p> {
    path: &'p Path,
    layers: Vec<(String, Box<dyn Module>)>,
}

impl SequentialBuilder<'_> {
    /// Appends a layer, built at its place.
    ///
    /// # Errors
    /// The layer cannot be built.
    pub fn push<M: Module + 'static>(&mut self, build: impl FnOnce(&Path) -> Result<M>) -> Result<()> {
        let name = self.layers.len().to_string();
        self.push_named(&name, build)
    }

    /// Appends a layer under a name of its own.
    ///
    /// # Errors
    /// The layer cannot be built.
    pub fn push_named<M: Module + 'static>(
        &mut self,
        name: &str,
        build: impl FnOnce(&Path) -> Result<M>,
    ) -> Result<()> {
        let layer = build(&self.path.child(name))?;
        self.layers.push((name.to_owned(), Box::new(layer)));
        Ok(())
    }
}

impl Module for Sequential {
    fn forward(&self, input: &Tensor) -> Result<Tensor> {
        self.forward_range(0..self.layers.len(), input)
    }
}
