//! Models described in a few words.

use crate::error::{Error, Result};
use crate::module_tree::{Module, ModuleTree, Parameter, Stage, TensorInfo};

/// A model that is only its module tree, built as PyTorch registers modules.
///
/// ```
/// use thaw_plugin_api::testing::FakeModel;
///
/// let tree = FakeModel::new()
///     .sequential("encoder", |blocks| {
///         blocks
///             .module("0", "Block", |block| block.conv2d("conv", 3, 8, 3).batch_norm("bn", 8).relu("act"))
///             .module("1", "Block", |block| block.conv2d("conv", 8, 8, 3).batch_norm("bn", 8).relu("act"))
///     })
///     .linear("head", 8, 2)
///     .tree()
///     .unwrap();
/// assert_eq!(tree.children("encoder").unwrap(), ["encoder.0", "encoder.1"]);
/// assert_eq!(tree.parameter("encoder.1.conv.weight").unwrap().shape, [8, 8, 3, 3]);
/// ```
#[derive(Clone, Debug)]
pub struct FakeModel {
    modules: Vec<Module>,
    stages: Vec<Stage>,
    /// Position of the module that is being filled.
    current: usize,
    error: Option<Error>,
}

impl Default for FakeModel {
    fn default() -> Self {
        Self::new()
    }
}

impl FakeModel {
    /// A model without modules.
    pub fn new() -> Self {
        Self { modules: vec![Module::new("", "Model")], stages: Vec::new(), current: 0, error: None }
    }

    /// A model of this tree.
    pub fn from_tree(tree: &ModuleTree) -> Self {
        Self { modules: tree.modules().to_vec(), stages: tree.stages().to_vec(), current: 0, error: None }
    }

    /// A real model's tree, as JSON.
    ///
    /// # Errors
    /// Text that is no tree.
    pub fn from_json(json: &str) -> Result<Self> {
        Ok(Self::from_tree(&serde_json::from_str(json)?))
    }

    /// A module of any kind with what `fill` puts into it.
    #[must_use]
    pub fn module(mut self, name: &str, kind: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        let around = self.current;
        let path = self.full_name(name);
        if self.modules.iter().any(|module| module.path == path) {
            self.error.get_or_insert_with(|| Error::new(format_args!("module `{path}` is there twice")));
        }
        self.current = self.modules.len();
        self.modules.push(Module::new(path, kind));
        let mut filled = fill(self);
        filled.current = around;
        filled
    }

    /// A `Sequential` of what `fill` puts into it; its children are usually named `0`, `1`, ….
    #[must_use]
    pub fn sequential(self, name: &str, fill: impl FnOnce(Self) -> Self) -> Self {
        self.module(name, "Sequential", fill)
    }

    /// Marks the module that is being filled as one that PyTorch iterates over: a container derived from
    /// `Sequential`.
    #[must_use]
    pub fn iterable(mut self) -> Self {
        self.modules[self.current].iterable = true;
        self
    }

    /// A parameter of the module that is being filled.
    #[must_use]
    pub fn parameter(mut self, name: &str, shape: &[i64]) -> Self {
        let name = self.full_name(name);
        self.modules[self.current].parameters.push(Parameter {
            name,
            shape: shape.to_vec(),
            requires_grad: true,
            tied_to: None,
        });
        self
    }

    /// A buffer of the module that is being filled.
    #[must_use]
    pub fn buffer(mut self, name: &str, shape: &[i64]) -> Self {
        let name = self.full_name(name);
        self.modules[self.current].buffers.push(TensorInfo { name, shape: shape.to_vec() });
        self
    }

    /// A `Linear` with a bias.
    #[must_use]
    pub fn linear(self, name: &str, inputs: i64, outputs: i64) -> Self {
        self.module(name, "Linear", |layer| {
            layer.parameter("weight", &[outputs, inputs]).parameter("bias", &[outputs])
        })
    }

    /// A `Conv2d` with a square kernel and without a bias, as before a batch norm.
    #[must_use]
    pub fn conv2d(self, name: &str, inputs: i64, outputs: i64, kernel: i64) -> Self {
        self.module(name, "Conv2d", |layer| layer.parameter("weight", &[outputs, inputs, kernel, kernel]))
    }

    /// A `BatchNorm2d` with weight, bias and statistics.
    #[must_use]
    pub fn batch_norm(self, name: &str, features: i64) -> Self {
        self.module(name, "BatchNorm2d", |layer| {
            let layer = layer.parameter("weight", &[features]).parameter("bias", &[features]);
            layer
                .buffer("running_mean", &[features])
                .buffer("running_var", &[features])
                .buffer("num_batches_tracked", &[])
        })
    }

    /// A `LayerNorm` with weight and bias.
    #[must_use]
    pub fn layer_norm(self, name: &str, features: i64) -> Self {
        self.module(name, "LayerNorm", |layer| {
            layer.parameter("weight", &[features]).parameter("bias", &[features])
        })
    }

    /// An `Embedding`.
    #[must_use]
    pub fn embedding(self, name: &str, entries: i64, features: i64) -> Self {
        self.module(name, "Embedding", |layer| layer.parameter("weight", &[entries, features]))
    }

    /// A `ReLU`.
    #[must_use]
    pub fn relu(self, name: &str) -> Self {
        self.module(name, "ReLU", |layer| layer)
    }

    /// A `Dropout`.
    #[must_use]
    pub fn dropout(self, name: &str) -> Self {
        self.module(name, "Dropout", |layer| layer)
    }

    /// Makes a parameter share the storage of an earlier one (full names): tied weights.
    #[must_use]
    pub fn tie(mut self, name: &str, to: &str) -> Self {
        let parameters = || self.modules.iter().flat_map(|module| &module.parameters);
        let first = parameters()
            .find(|parameter| parameter.name == to)
            .map(|parameter| parameter.storage().to_owned());
        let known = parameters().any(|parameter| parameter.name == name);
        match first {
            Some(first) if known => {
                let parameters = self.modules.iter_mut().flat_map(|module| &mut module.parameters);
                parameters
                    .filter(|parameter| parameter.name == name)
                    .for_each(|parameter| parameter.tied_to = Some(first.clone()));
            }
            _ => {
                let missing = if known { to } else { name };
                self.error.get_or_insert_with(|| {
                    Error::new(format_args!("there is no parameter `{missing}` to tie"))
                });
            }
        }
        self
    }

    /// The next stage of the forward, over these modules (full paths).
    #[must_use]
    pub fn stage<M: Into<String>>(mut self, name: &str, modules: impl IntoIterator<Item = M>) -> Self {
        self.stages.push(Stage::new(name, modules));
        self
    }

    /// The module tree: everything trainable and in training mode.
    ///
    /// # Errors
    /// A module that is there twice, a parameter that is not there to be tied.
    pub fn tree(self) -> Result<ModuleTree> {
        match self.error {
            Some(error) => Err(error.context("the fake model")),
            None => Ok(ModuleTree::new(self.modules)?.with_stages(self.stages)),
        }
    }

    fn full_name(&self, name: &str) -> String {
        let around = &self.modules[self.current].path;
        if around.is_empty() { name.to_owned() } else { format!("{around}.{name}") }
    }
}
