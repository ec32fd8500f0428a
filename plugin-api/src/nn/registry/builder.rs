//! Registering one module.

use std::cell::RefCell;
use std::rc::Rc;

use tch::Tensor;

use super::{Mode, Registry};
use crate::error::Result;

/// A module being registered.
pub struct ModuleBuilder {
    registry: Rc<RefCell<Registry>>,
    index: usize,
}

impl ModuleBuilder {
    pub(in crate::nn) fn new(registry: Rc<RefCell<Registry>>, path: &str, kind: &str) -> Result<Self> {
        let index = registry.borrow_mut().add(path, kind)?;
        Ok(Self { registry, index })
    }

    /// Marks a module that PyTorch iterates over although its class has another name.
    pub fn iterable(&self) {
        self.registry.borrow_mut().modules[self.index].iterable = true;
    }

    /// Marks a module that knows one mode only: training or, with `false`, evaluation.
    pub fn fix_mode(&self, training: bool) {
        self.registry.borrow_mut().modules[self.index].fixed_mode = Some(training);
    }

    /// The module's mode.
    pub fn mode(&self) -> Mode {
        self.registry.borrow().modules[self.index].mode.clone()
    }

    /// Registers a parameter under `name`, with these values. The same tensor registered under two names is
    /// tied.
    ///
    /// # Errors
    /// The tensor cannot have gradients.
    pub fn parameter(&self, name: &str, values: Tensor) -> Result<Tensor> {
        let parameter = if values.requires_grad() { values } else { values.f_set_requires_grad(true)? };
        let module = &mut self.registry.borrow_mut().modules[self.index];
        module.parameters.push((module.full_name(name), parameter.shallow_clone()));
        Ok(parameter)
    }

    /// Registers a buffer under `name`, with these values.
    pub fn buffer(&self, name: &str, values: Tensor) -> Tensor {
        let module = &mut self.registry.borrow_mut().modules[self.index];
        module.buffers.push((module.full_name(name), values.shallow_clone()));
        values
    }
}
