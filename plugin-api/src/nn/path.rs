//! Where a layer lives in the model: its dotted path.

use std::cell::RefCell;
use std::ops::Div;
use std::rc::Rc;

use super::registry::{Mode, ModuleBuilder, Registry};
use crate::error::{Error, Result};

/// A place in the module tree. `root / "layer1" / 0` is `layer1.0`.
#[derive(Clone)]
pub struct Path {
    registry: Rc<RefCell<Registry>>,
    path: String,
}

impl Path {
    /// The place of the whole model.
    pub fn root() -> Self {
        Self { registry: Rc::default(), path: String::new() }
    }

    /// Dotted path; empty for the whole model.
    pub fn as_str(&self) -> &str {
        &self.path
    }

    /// The place of a child.
    #[must_use]
    pub fn child(&self, name: impl std::fmt::Display) -> Self {
        let path = if self.path.is_empty() { name.to_string() } else { format!("{}.{name}", self.path) };
        Self { registry: Rc::clone(&self.registry), path }
    }

    /// Registers a module here, with PyTorch's class name. Its place among its siblings is that of the first
    /// registration here or below. Parents that were not registered yet are now, as plain modules; they can
    /// still get a class of their own.
    ///
    /// # Errors
    /// There is a module here already.
    pub fn module(&self, kind: &str) -> Result<ModuleBuilder> {
        ModuleBuilder::new(Rc::clone(&self.registry), &self.path, kind)
    }

    /// The mode of the module that is registered here: the host sets it, the layer reads it.
    ///
    /// # Errors
    /// There is no module here.
    pub fn mode(&self) -> Result<Mode> {
        let mode = self.registry.borrow().mode(&self.path);
        mode.ok_or_else(|| Error::new(format_args!("there is no module `{}` yet", self.path)))
    }

    /// Takes everything that is registered here and below out of training: its parameters get no gradient,
    /// its modules start in evaluation mode. A strategy can make it trainable again.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn freeze(&self) -> Result<()> {
        self.registry.borrow().freeze(&self.path)
    }

    /// What was registered, once the model is built.
    #[doc(hidden)]
    pub fn into_registry(self) -> Registry {
        self.registry.take()
    }
}

impl<N: std::fmt::Display> Div<N> for &Path {
    type Output = Path;

    fn div(self, name: N) -> Path {
        self.child(name)
    }
}

impl<N: std::fmt::Display> Div<N> for Path {
    type Output = Path;

    fn div(self, name: N) -> Path {
        self.child(name)
    }
}
