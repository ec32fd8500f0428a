//! What a model is made of: modules with their modes, parameters and buffers.

mod builder;
mod mode;

use std::collections::{HashMap, HashSet};

pub use builder::ModuleBuilder;
pub use mode::Mode;
use tch::Tensor;

use crate::error::{Error, Result};
use crate::module_tree::{Module, ModuleTree, Parameter, TensorInfo, parent_of};

/// A module that was registered, or the parent of one that was.
struct Registered {
    path: String,
    kind: String,
    iterable: bool,
    /// Whether only its children were registered so far: it may still be.
    implied: bool,
    mode: Mode,
    fixed_mode: Option<bool>,
    parameters: Vec<(String, Tensor)>,
    buffers: Vec<(String, Tensor)>,
    /// Indices of the direct children, in registration order.
    children: Vec<usize>,
}

impl Registered {
    fn new(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            kind: "Module".to_owned(),
            iterable: false,
            implied: true,
            mode: Mode::new(),
            fixed_mode: None,
            parameters: Vec::new(),
            buffers: Vec::new(),
            children: Vec::new(),
        }
    }

    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    fn set_kind(&mut self, kind: &str) {
        kind.clone_into(&mut self.kind);
        self.iterable = Module::new("", kind).iterable;
        self.implied = false;
    }
}

/// Everything that a model registered. The root comes first, every parent before its children.
pub struct Registry {
    modules: Vec<Registered>,
    index: HashMap<String, usize>,
}

impl Default for Registry {
    fn default() -> Self {
        Self { modules: vec![Registered::new("")], index: HashMap::from([(String::new(), 0)]) }
    }
}

impl Registry {
    /// Registers a module, and its parents where they were not yet. Gives its index.
    fn add(&mut self, path: &str, kind: &str) -> Result<usize> {
        let index = self.ensure(path);
        if !self.modules[index].implied {
            return Err(Error::new(format_args!("there is a module `{path}` already")));
        }
        self.modules[index].set_kind(kind);
        Ok(index)
    }

    fn ensure(&mut self, path: &str) -> usize {
        if let Some(&known) = self.index.get(path) {
            return known;
        }
        // Only the root has no parent, and it is always there.
        let parent = parent_of(path).map_or(0, |parent| self.ensure(parent));
        let index = self.modules.len();
        self.modules.push(Registered::new(path));
        self.modules[parent].children.push(index);
        self.index.insert(path.to_owned(), index);
        index
    }

    /// The mode of a module.
    pub(super) fn mode(&self, path: &str) -> Option<Mode> {
        let index = self.index.get(path)?;
        Some(self.modules[*index].mode.clone())
    }

    /// The modules in the order of PyTorch's `named_modules`: depth first, children in registration order.
    fn in_order(&self) -> impl Iterator<Item = &Registered> {
        self.below("")
    }

    /// A module and those below it, in the same order; nothing where there is none.
    fn below(&self, path: &str) -> impl Iterator<Item = &Registered> {
        let mut ahead: Vec<usize> = self.index.get(path).copied().into_iter().collect();
        std::iter::from_fn(move || {
            let module = &self.modules[ahead.pop()?];
            ahead.extend(module.children.iter().rev());
            Some(module)
        })
    }

    /// The module tree, as the model was built.
    ///
    /// # Errors
    /// A parameter or buffer name that is there twice.
    pub fn tree(&self) -> Result<ModuleTree> {
        let mut first_names: HashMap<usize, &str> = HashMap::new();
        let mut names: HashSet<&str> = HashSet::new();
        let mut modules = Vec::with_capacity(self.modules.len());
        for registered in self.in_order() {
            for (name, _) in registered.parameters.iter().chain(&registered.buffers) {
                if !names.insert(name) {
                    return Err(Error::new(format_args!(
                        "there are two parameters or buffers named `{name}`"
                    )));
                }
            }
            let mut module = Module::new(&registered.path, &registered.kind);
            module.iterable = registered.iterable;
            module.training = registered.fixed_mode.unwrap_or(registered.mode.is_training());
            module.fixed_mode = registered.fixed_mode;
            for (name, tensor) in &registered.parameters {
                let first = identity(tensor).map(|identity| *first_names.entry(identity).or_insert(name));
                let tied_to = first.filter(|first| first != name).map(str::to_owned);
                let requires_grad = tensor.requires_grad();
                module.parameters.push(Parameter {
                    name: name.clone(),
                    shape: tensor.size(),
                    requires_grad,
                    tied_to,
                });
            }
            let info =
                |(name, tensor): &(String, Tensor)| TensorInfo { name: name.clone(), shape: tensor.size() };
            module.buffers = registered.buffers.iter().map(info).collect();
            modules.push(module);
        }
        ModuleTree::new(modules)
    }

    /// Every parameter and buffer in state_dict order, sharing storage with the layers'.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        let tensors = self.in_order().flat_map(|module| module.parameters.iter().chain(&module.buffers));
        tensors.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
    }

    /// Sets the mode of every module, in tree order, as [`Mode::to_bits`] gives it.
    pub fn set_modes(&self, modes: &[u8]) {
        for (module, mode) in self.in_order().zip(modes) {
            module.mode.set(*mode);
        }
    }

    /// Takes a module and all below it out of training: no gradients, evaluation mode.
    pub(super) fn freeze(&self, path: &str) -> Result<()> {
        for module in self.below(path) {
            module.mode.set(Mode::EVALUATION);
            for (_, parameter) in &module.parameters {
                let _ = parameter.f_set_requires_grad(false)?;
            }
        }
        Ok(())
    }
}

/// What tied parameters have in common: one tensor object, whose data moves as one. None for a tensor without
/// data.
fn identity(tensor: &Tensor) -> Option<usize> {
    let address = tensor.data_ptr() as usize;
    (address != 0).then_some(address)
}

#[cfg(test)]
mod tests;
