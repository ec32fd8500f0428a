//! Which tensors of a model a set holds.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::module_tree::{Module, ModuleTree};

/// Which tensors of the model a set holds: parameters, tied ones once, and buffers where that is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetContents {
    parameters: Parameters,
    #[serde(default)]
    buffers: SetBuffers,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Parameters {
    All,
    Trainable,
    Matching(Vec<String>),
}

/// What a set does with the buffers of its modules, such as the statistics of batch norms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SetBuffers {
    /// It has none: the model's stay in place.
    #[default]
    Without,
    /// It has them as they were at its last update: PyTorch's `AveragedModel` with `use_buffers=False`.
    Copied,
    /// It averages them as parameters: `use_buffers=True`.
    Averaged,
}

/// How an update treats a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It is averaged.
    Average,
    /// The model's value takes its place.
    Copy,
}

impl SetContents {
    /// Every parameter.
    pub fn all() -> Self {
        Self { parameters: Parameters::All, buffers: SetBuffers::Without }
    }

    /// The parameters that require gradients now. With buffers, those of every module.
    pub fn trainable() -> Self {
        Self { parameters: Parameters::Trainable, buffers: SetBuffers::Without }
    }

    /// The parameters that these module paths or globs choose, as [`ModuleTree::select`] has it. With
    /// buffers, those of the modules chosen and of those that own a chosen parameter.
    pub fn matching<P: Into<String>>(patterns: impl IntoIterator<Item = P>) -> Self {
        let patterns = patterns.into_iter().map(Into::into).collect();
        Self { parameters: Parameters::Matching(patterns), buffers: SetBuffers::Without }
    }

    /// With the buffers, too.
    #[must_use]
    pub fn with_buffers(self, buffers: SetBuffers) -> Self {
        Self { buffers, ..self }
    }

    /// Names of the tensors in the order of the tree, parameters first, and how updates treat each.
    ///
    /// # Errors
    /// A pattern that fits nothing.
    pub fn names(&self, tree: &ModuleTree) -> Result<Vec<(String, Update)>> {
        let of_storage = |required: bool| {
            let once = tree.parameters().filter(|parameter| parameter.tied_to.is_none());
            once.filter(move |parameter| parameter.requires_grad || !required)
                .map(|parameter| parameter.name.clone())
                .collect::<Vec<_>>()
        };
        let (parameters, modules) = match &self.parameters {
            Parameters::All => (of_storage(false), None),
            Parameters::Trainable => (of_storage(true), None),
            Parameters::Matching(patterns) => {
                let selection = tree.select(patterns)?;
                (selection.parameters, Some(selection.modules.into_iter().collect::<HashSet<_>>()))
            }
        };
        let update = match self.buffers {
            SetBuffers::Without => None,
            SetBuffers::Copied => Some(Update::Copy),
            SetBuffers::Averaged => Some(Update::Average),
        };
        let is_chosen = |module: &&Module| modules.as_ref().is_none_or(|paths| paths.contains(&module.path));
        let buffers = tree.modules().iter().filter(is_chosen).flat_map(|module| &module.buffers);
        let mut names: Vec<(String, Update)> =
            parameters.into_iter().map(|name| (name, Update::Average)).collect();
        if let Some(update) = update {
            names.extend(buffers.map(|buffer| (buffer.name.clone(), update)));
        }
        Ok(names)
    }
}
