//! The stages that a model declares.

use serde::{Deserialize, Serialize};

/// A part of a model's forward, with the modules it uses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Name of the stage: `stem`, `layer1`, `head`, ….
    pub name: String,
    /// What the stage runs: paths of modules, each with all below it, and names of parameters that a module
    /// around them owns.
    /// [`ModuleTree::select`](super::ModuleTree::select) takes both.
    pub modules: Vec<String>,
}

impl Stage {
    /// A stage over these modules.
    pub fn new<M: Into<String>>(name: impl Into<String>, modules: impl IntoIterator<Item = M>) -> Self {
        Self { name: name.into(), modules: modules.into_iter().map(Into::into).collect() }
    }
}
