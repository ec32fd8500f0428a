//! Freeze state by name: what a checkpoint keeps of a tree, and its way back.

use std::collections::HashMap;

use super::{Module, ModuleTree};
use crate::error::{Error, ErrorKind, Result};

impl ModuleTree {
    /// Takes over `requires_grad`, modes and batch norm tracking from the modules that a checkpoint kept, by
    /// name. Nothing is changed on an error.
    ///
    /// # Errors
    /// A module or parameter of this model that the checkpoint does not have.
    pub fn restore_freeze_state(&mut self, saved: &[Module]) -> Result<()> {
        let saved: HashMap<&str, &Module> =
            saved.iter().map(|module| (module.path.as_str(), module)).collect();
        let mut modules = self.modules.clone();
        for module in &mut modules {
            let known = saved.get(module.path.as_str()).ok_or_else(|| missing("module", &module.path))?;
            module.training = known.training;
            module.track_running_stats = known.track_running_stats;
            for parameter in &mut module.parameters {
                let known = known.parameters.iter().find(|known| known.name == parameter.name);
                parameter.requires_grad =
                    known.ok_or_else(|| missing("parameter", &parameter.name))?.requires_grad;
            }
        }
        self.modules = modules;
        self.changed = true;
        Ok(())
    }
}

fn missing(what: &str, name: &str) -> Error {
    Error::of(ErrorKind::State, format_args!("the saved freeze state has no {what} `{name}` of this model"))
        .help("resume with the model that the checkpoint was written with")
}
