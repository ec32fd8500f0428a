//! One module: its kind, its own parameters and buffers, its mode.

use serde::{Deserialize, Serialize};

use super::{BatchNorm, ModuleTree};
use crate::error::Result;
use crate::optimizer::Optimizer;

/// A module of the model, as PyTorch's `named_modules` lists it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Dotted path, such as `backbone.layer1.0.conv1`; empty for the whole model.
    pub path: String,
    /// PyTorch's class name: `Conv2d`, `BatchNorm2d`, `Sequential`, ….
    pub kind: String,
    /// Whether PyTorch iterates over it (`Sequential`, `ModuleList`, `ModuleDict` and what derives from
    /// them).
    #[serde(default)]
    pub iterable: bool,
    /// Parameters of this module itself, not of its children.
    #[serde(default)]
    pub parameters: Vec<Parameter>,
    /// Buffers of this module itself, full names.
    #[serde(default)]
    pub buffers: Vec<TensorInfo>,
    /// Mode in the training phase; validation runs in evaluation mode anyway.
    pub training: bool,
    /// The only mode that the module knows, where that is so: a traced TorchScript module has its mode in its
    /// code. Whatever a strategy sets, the host puts `training` back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_mode: Option<bool>,
    /// Batch norms: whether training updates the stored statistics. `None` for other modules.
    #[serde(default)]
    pub track_running_stats: Option<bool>,
}

/// A tensor by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TensorInfo {
    /// Full name, as in the state_dict.
    pub name: String,
    /// Size per dimension.
    pub shape: Vec<i64>,
}

/// A parameter of a module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// Full name, as in the state_dict: `backbone.0.weight`.
    pub name: String,
    /// Size per dimension.
    pub shape: Vec<i64>,
    /// Whether it gets gradients.
    pub requires_grad: bool,
    /// The first name of the same storage, where this one is not the first (tied weights).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tied_to: Option<String>,
}

impl Parameter {
    /// Number of elements.
    pub fn numel(&self) -> u64 {
        self.shape.iter().map(|size| size.unsigned_abs()).product()
    }

    /// The name that stands for the storage: groups and optimizer state use it.
    pub fn storage(&self) -> &str {
        self.tied_to.as_deref().unwrap_or(&self.name)
    }
}

impl Module {
    /// A module in training mode, without parameters.
    pub fn new(path: impl Into<String>, kind: impl Into<String>) -> Self {
        let kind = kind.into();
        let iterable = ["Sequential", "ModuleList", "ModuleDict"].contains(&kind.as_str());
        let track_running_stats = kind.contains("BatchNorm").then_some(true);
        Self { path: path.into(), kind, iterable, training: true, track_running_stats, ..Self::default() }
    }

    /// Whether it is a batch norm.
    pub fn is_batch_norm(&self) -> bool {
        self.track_running_stats.is_some()
    }
}

/// A module to change, and all below it.
pub struct ModuleMut<'t> {
    tree: &'t mut ModuleTree,
    index: usize,
}

impl<'t> ModuleMut<'t> {
    pub(super) fn new(tree: &'t mut ModuleTree, index: usize) -> Self {
        Self { tree, index }
    }

    /// Dotted path.
    pub fn path(&self) -> &str {
        &self.tree.modules()[self.index].path
    }

    /// Paths of the direct children, in registration order.
    pub fn children(&self) -> Vec<String> {
        let path = self.path();
        let children =
            self.tree.modules().iter().filter(|module| super::parent_of(&module.path) == Some(path));
        children.map(|module| module.path.clone()).collect()
    }

    /// Freezes everything in the module; `batch_norm` says what its batch norms do meanwhile.
    pub fn freeze(&mut self, batch_norm: BatchNorm) {
        let target = self.target();
        self.tree.freeze_resolved(&target, &target, batch_norm);
    }

    /// Makes everything in the module trainable and puts it into training mode.
    pub fn make_trainable(&mut self) {
        let target = self.target();
        self.tree.make_trainable_resolved(&target, &target);
    }

    /// Makes everything in the module trainable and gives what no group has yet a group of its own, named
    /// after the module, with this rate and the optimizer's defaults. Nothing is added where every parameter
    /// has a group.
    ///
    /// # Errors
    /// The rate is negative or not a number.
    pub fn unfreeze_and_add_param_group(&mut self, optimizer: &mut Optimizer, lr: f64) -> Result<()> {
        self.make_trainable();
        self.add_group(optimizer, lr, true)
    }

    /// As [`Self::unfreeze_and_add_param_group`], but the module's batch norms stay frozen as `batch_norm`
    /// says. With
    /// [`BatchNorm::Train`] they keep `requires_grad` and are in no group, as Lightning's `train_bn=False`
    /// leaves them.
    ///
    /// # Errors
    /// The rate is negative or not a number.
    pub fn unfreeze_without_batch_norms(
        &mut self,
        optimizer: &mut Optimizer,
        lr: f64,
        batch_norm: BatchNorm,
    ) -> Result<()> {
        self.make_trainable();
        if batch_norm != BatchNorm::Train {
            let norms: Vec<usize> = self
                .target()
                .into_iter()
                .filter(|&index| self.tree.modules()[index].is_batch_norm())
                .collect();
            self.tree.freeze_resolved(&norms, &norms, batch_norm);
        }
        self.add_group(optimizer, lr, false)
    }

    fn add_group(&self, optimizer: &mut Optimizer, lr: f64, train_bn: bool) -> Result<()> {
        let name = if self.path().is_empty() { "model" } else { self.path() };
        self.tree.add_group(name, &self.target(), optimizer, lr, train_bn)
    }

    fn target(&self) -> Vec<usize> {
        let path = self.path().to_owned();
        let within =
            |(index, module): (usize, &Module)| super::is_within(&module.path, &path).then_some(index);
        self.tree.modules().iter().enumerate().filter_map(within).collect()
    }
}
