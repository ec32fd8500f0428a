//! The model as a strategy sees it: modules by dotted path, with parameters, modes and freeze state.

mod batch_norm;
mod finetuning;
mod fixed_mode;
mod freeze_state;
mod module;
mod select;
mod stage;
mod targets;
mod train_only;
mod trunk;

use std::collections::HashMap;

pub use batch_norm::BatchNorm;
pub use finetuning::filter_on_optimizer;
pub use module::{Module, ModuleMut, Parameter, TensorInfo};
pub use select::Selection;
use serde::{Deserialize, Serialize};
pub use stage::Stage;
pub use targets::Targets;

use crate::error::{Error, Result};

/// The model's modules in registration order (PyTorch's `named_modules`), the root with the empty path first.
///
/// A strategy reads it and changes it; the host applies the changes to the tensors when the hook returns.
/// Parameters that share storage (tied weights) share `requires_grad`, whichever name is used.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ModuleTree {
    modules: Vec<Module>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stages: Vec<Stage>,
    #[serde(skip)]
    changed: bool,
}

/// Equal are trees of equal modules and stages, whether or not somebody changed them to become so.
impl PartialEq for ModuleTree {
    fn eq(&self, other: &Self) -> bool {
        self.modules == other.modules && self.stages == other.stages
    }
}

impl ModuleTree {
    /// A tree from its modules: in registration order, every parent before its children.
    ///
    /// # Errors
    /// A path that is there twice, or one whose parent is missing.
    pub fn new(modules: Vec<Module>) -> Result<Self> {
        let mut seen = HashMap::new();
        for (index, module) in modules.iter().enumerate() {
            let parent = parent_of(&module.path);
            if parent.is_some_and(|parent| !seen.contains_key(parent)) {
                return Err(Error::new(format_args!(
                    "module `{}` comes without its parent before it",
                    module.path
                )));
            }
            if seen.insert(module.path.as_str(), index).is_some() {
                return Err(Error::new(format_args!("module `{}` is there twice", module.path)));
            }
        }
        if modules.first().is_none_or(|root| !root.path.is_empty()) {
            return Err(Error::new("the first module of a tree is its root, with the empty path"));
        }
        Ok(Self { modules, stages: Vec::new(), changed: false })
    }

    /// The tree with the stages that its model declares.
    #[must_use]
    pub fn with_stages(mut self, stages: Vec<Stage>) -> Self {
        self.stages = stages;
        self
    }

    /// The model's forward as an ordered split, first stage first. Empty for a model that declares none.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Every module, parents before children, in registration order.
    pub fn modules(&self) -> &[Module] {
        &self.modules
    }

    /// One module to look at; `""` is the whole model.
    ///
    /// # Errors
    /// No module has this path; the nearest is named.
    pub fn get(&self, path: &str) -> Result<&Module> {
        self.index_of(path).map(|index| &self.modules[index])
    }

    /// One module to change; `""` is the whole model.
    ///
    /// # Errors
    /// No module has this path; the nearest is named.
    pub fn module(&mut self, path: &str) -> Result<ModuleMut<'_>> {
        let index = self.index_of(path)?;
        Ok(ModuleMut::new(self, index))
    }

    /// Whether there is a module of this path.
    pub fn contains(&self, path: &str) -> bool {
        self.modules.iter().any(|module| module.path == path)
    }

    /// Paths of a module's direct children, in registration order.
    ///
    /// # Errors
    /// No module has this path; the nearest is named.
    pub fn children(&self, path: &str) -> Result<Vec<String>> {
        self.index_of(path)?;
        let children = self.modules.iter().filter(|module| parent_of(&module.path) == Some(path));
        Ok(children.map(|module| module.path.clone()).collect())
    }

    /// A module and everything below it, in registration order.
    ///
    /// # Errors
    /// No module has this path; the nearest is named.
    pub fn subtree(&self, path: &str) -> Result<impl Iterator<Item = &Module>> {
        self.index_of(path)?;
        let path = path.to_owned();
        Ok(self.modules.iter().filter(move |module| is_within(&module.path, &path)))
    }

    /// Every parameter in state_dict order; a tied one under each of its names.
    pub fn parameters(&self) -> impl Iterator<Item = &Parameter> + Clone {
        self.modules.iter().flat_map(|module| &module.parameters)
    }

    /// Parameters of a module and of everything below it, in state_dict order.
    ///
    /// # Errors
    /// No module has this path; the nearest is named.
    pub fn parameters_of(&self, path: &str) -> Result<impl Iterator<Item = &Parameter>> {
        Ok(self.subtree(path)?.flat_map(|module| &module.parameters))
    }

    /// One parameter by its full name, such as `backbone.0.weight`.
    ///
    /// # Errors
    /// No parameter has this name; the nearest is named.
    pub fn parameter(&self, name: &str) -> Result<&Parameter> {
        self.parameters().find(|parameter| parameter.name == name).ok_or_else(|| {
            not_found("parameter", name, self.parameters().map(|parameter| parameter.name.as_str()))
        })
    }

    /// Sets whether one parameter trains, together with those tied to it.
    ///
    /// # Errors
    /// No parameter has this name; the nearest is named.
    pub fn set_requires_grad(&mut self, name: &str, requires_grad: bool) -> Result<()> {
        let storage = self.parameter(name)?.storage().to_owned();
        self.set_storage_requires_grad(&storage, requires_grad);
        Ok(())
    }

    /// Names of the parameters that train, in state_dict order, tied ones once.
    pub fn trainable(&self) -> Vec<&str> {
        let trainable =
            self.parameters().filter(|parameter| parameter.requires_grad && parameter.tied_to.is_none());
        trainable.map(|parameter| parameter.name.as_str()).collect()
    }

    /// Whether anything was changed since the tree was made or [`Self::mark_unchanged`] was called.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Takes the tree as it is for the state to compare with.
    pub fn mark_unchanged(&mut self) {
        self.changed = false;
    }

    /// The modules, to be changed one by one.
    pub(crate) fn modules_mut(&mut self) -> &mut [Module] {
        self.changed = true;
        &mut self.modules
    }

    pub(crate) fn set_storage_requires_grad(&mut self, storage: &str, requires_grad: bool) {
        let parameters = self.modules_mut().iter_mut().flat_map(|module| &mut module.parameters);
        for parameter in parameters.filter(|parameter| parameter.storage() == storage) {
            parameter.requires_grad = requires_grad;
        }
    }

    pub(crate) fn index_of(&self, path: &str) -> Result<usize> {
        let paths = self.modules.iter().map(|module| module.path.as_str());
        paths.clone().position(|found| found == path).ok_or_else(|| {
            let trunk = self.trunk().filter(|_| path == BACKBONE);
            match (not_found("module", path, paths), trunk) {
                (error, Some(trunk)) => error.help(format_args!(
                    "the layers of this model are in `{trunk}`: set `module = \"{trunk}\"` beside the \
                     strategy's `id`, or use `phased-finetuning`, which thaws any modules"
                )),
                (error, None) => error,
            }
        })
    }
}

/// Path of the module around this one; the root has none.
pub(crate) fn parent_of(path: &str) -> Option<&str> {
    if path.is_empty() {
        return None;
    }
    Some(path.rsplit_once('.').map_or("", |(parent, _)| parent))
}

/// Whether a path is `top` or below it; everything is below the root, whose path is empty.
pub fn is_within(path: &str, top: &str) -> bool {
    top.is_empty() || path == top || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('.'))
}

/// What shipped models call everything below a head of their own.
const BACKBONE: &str = "backbone";

/// What to do where a strategy wants that of a model with another structure.
const WITHOUT_BACKBONE: &str = "export it without its last layer and set `num_classes` for a new head \
                                (`torchscript`), leave `layout` out (`vision`), or use `phased-finetuning`, \
                                which thaws any modules";

/// The first of these names.
fn first_of(names: &[&str]) -> String {
    const SHOWN: usize = 12;
    match names.len().saturating_sub(SHOWN) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names[..SHOWN].join(", ")),
    }
}

fn not_found<'n>(what: &str, name: &str, candidates: impl Iterator<Item = &'n str> + Clone) -> Error {
    let error = Error::new(format_args!("the model has no {what} `{name}`"));
    match crate::nearest::nearest(name, candidates.clone().filter(|candidate| !candidate.is_empty())) {
        Some(nearest) => error.help(format_args!("did you mean `{nearest}`?")),
        None => {
            let top: Vec<&str> =
                candidates.filter(|candidate| !candidate.is_empty() && !candidate.contains('.')).collect();
            let top = first_of(&top);
            match name {
                _ if top.is_empty() => error,
                BACKBONE => error.help(format_args!("its top modules are: {top}; {WITHOUT_BACKBONE}")),
                _ => error.help(format_args!("its top modules are: {top}")),
            }
        }
    }
}

#[cfg(test)]
mod tests;
