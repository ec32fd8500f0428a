//! What a model is made of: modules with their modes, parameters and buffers.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tch::Tensor;

use crate::error::{Error, Result};
use crate::module_tree::{Module, ModuleTree, Parameter, TensorInfo};

const TRAINING: u8 = 1;
const TRACKING: u8 = 2;

/// A module's mode, which the host sets and the layer reads.
#[derive(Clone, Debug)]
pub struct Mode(Arc<AtomicU8>);

impl Mode {
    fn new() -> Self {
        Self(Arc::new(AtomicU8::new(TRAINING | TRACKING)))
    }

    /// Whether the module is in training mode (PyTorch's `training`).
    pub fn is_training(&self) -> bool {
        self.0.load(Ordering::Relaxed) & TRAINING != 0
    }

    /// Whether a batch norm updates its stored statistics in training (PyTorch's `track_running_stats`).
    pub fn tracks_running_stats(&self) -> bool {
        self.0.load(Ordering::Relaxed) & TRACKING != 0
    }
}

struct Registered {
    kind: String,
    iterable: bool,
    mode: Mode,
    parameters: Vec<(String, Tensor)>,
    buffers: Vec<(String, Tensor)>,
}

/// Everything that a model registered, in registration order.
#[derive(Default)]
pub struct Registry {
    paths: Vec<String>,
    modules: HashMap<String, Registered>,
}

impl Registry {
    pub(super) fn new() -> Self {
        let mut registry = Self::default();
        registry.insert("", "Model");
        registry
    }

    fn insert(&mut self, path: &str, kind: &str) {
        let iterable = ["Sequential", "ModuleList", "ModuleDict"].contains(&kind);
        let module = Registered { kind: kind.to_owned(), iterable, mode: Mode::new(), parameters: Vec::new(), buffers: Vec::new() };
        self.modules.insert(path.to_owned(), module);
        self.paths.push(path.to_owned());
    }

    pub(super) fn add(&mut self, path: &str, kind: &str) -> Result<()> {
        if path.is_empty() {
            self.module("").kind = kind.to_owned();
            return Ok(());
        }
        if self.modules.contains_key(path) {
            return Err(Error::new(format_args!("there is a module `{path}` already")));
        }
        let parents = path.match_indices('.').map(|(end, _)| path[..end].to_owned());
        for parent in parents {
            if !self.modules.contains_key(&parent) {
                self.insert(&parent, "Module");
            }
        }
        self.insert(path, kind);
        Ok(())
    }

    fn module(&mut self, path: &str) -> &mut Registered {
        if !self.modules.contains_key(path) {
            self.insert(path, "Module");
        }
        // The line above made sure that it is there.
        self.modules.entry(path.to_owned()).or_insert_with(|| Registered {
            kind: "Module".to_owned(),
            iterable: false,
            mode: Mode::new(),
            parameters: Vec::new(),
            buffers: Vec::new(),
        })
    }

    /// Paths in the order of PyTorch's `named_modules`: depth first, children in registration order.
    fn order(&self) -> Vec<&str> {
        fn visit<'r>(registry: &'r Registry, path: &'r str, order: &mut Vec<&'r str>) {
            order.push(path);
            let children = registry.paths.iter().filter(|child| crate::module_tree::parent_of(child) == Some(path));
            for child in children {
                visit(registry, child, order);
            }
        }
        let mut order = Vec::with_capacity(self.paths.len());
        visit(self, "", &mut order);
        order
    }

    /// The module tree, everything trainable and in training mode.
    ///
    /// # Errors
    /// Modules that do not form a tree; registration rules this out.
    pub fn tree(&self) -> Result<ModuleTree> {
        let mut first_names: HashMap<usize, String> = HashMap::new();
        let modules = self.order().into_iter().filter_map(|path| self.modules.get(path).map(|module| (path, module)));
        let modules = modules.map(|(path, registered)| {
            let mut module = Module::new(path, &registered.kind);
            module.iterable = registered.iterable;
            for (name, tensor) in &registered.parameters {
                let tied_to = first_names.get(&identity(tensor)).cloned();
                first_names.entry(identity(tensor)).or_insert_with(|| name.clone());
                module.parameters.push(Parameter { name: name.clone(), shape: tensor.size(), requires_grad: true, tied_to });
            }
            let info = |(name, tensor): &(String, Tensor)| TensorInfo { name: name.clone(), shape: tensor.size() };
            module.buffers = registered.buffers.iter().map(info).collect();
            module
        });
        ModuleTree::new(modules.collect())
    }

    /// Every parameter and buffer in state_dict order, sharing storage with the layers'.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        let modules = self.order().into_iter().filter_map(|path| self.modules.get(path));
        let tensors = modules.flat_map(|module| module.parameters.iter().chain(&module.buffers));
        tensors.map(|(name, tensor)| (name.clone(), tensor.shallow_clone())).collect()
    }

    /// Sets the mode of every module, in tree order: bit 0 training, bit 1 tracking.
    pub fn set_modes(&self, modes: &[u8]) {
        let modules = self.order().into_iter().filter_map(|path| self.modules.get(path));
        for (module, mode) in modules.zip(modes) {
            module.mode.0.store(*mode, Ordering::Relaxed);
        }
    }
}

/// What tied tensors have in common: they are one tensor object, wherever its data is moved.
fn identity(tensor: &Tensor) -> usize {
    tensor.data_ptr() as usize
}

/// A module being registered.
pub struct ModuleBuilder {
    registry: Rc<RefCell<Registry>>,
    path: String,
}

impl ModuleBuilder {
    pub(super) fn new(registry: Rc<RefCell<Registry>>, path: String) -> Self {
        Self { registry, path }
    }

    fn full_name(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Marks a module that PyTorch iterates over although its class has another name.
    pub fn iterable(&self) {
        self.registry.borrow_mut().module(&self.path).iterable = true;
    }

    /// The module's mode.
    pub fn mode(&self) -> Mode {
        self.registry.borrow_mut().module(&self.path).mode.clone()
    }

    /// Registers a parameter under `name`, with these values. The same tensor registered under two names is tied.
    ///
    /// # Errors
    /// The tensor cannot have gradients.
    pub fn parameter(&self, name: &str, values: Tensor) -> Result<Tensor> {
        let parameter = if values.requires_grad() { values } else { values.f_set_requires_grad(true)? };
        let entry = (self.full_name(name), parameter.shallow_clone());
        self.registry.borrow_mut().module(&self.path).parameters.push(entry);
        Ok(parameter)
    }

    /// Registers a buffer under `name`, with these values.
    pub fn buffer(&self, name: &str, values: Tensor) -> Tensor {
        let entry = (self.full_name(name), values.shallow_clone());
        self.registry.borrow_mut().module(&self.path).buffers.push(entry);
        values
    }
}
