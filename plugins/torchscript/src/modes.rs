//! Modes of the file's modules, as the host sets them and as the code can follow.

use std::cell::Cell;

use tch::{Tensor, no_grad};
use thaw_plugin_api::nn::Mode;
use thaw_plugin_api::prelude::*;

use crate::script::{CodeMode, Script, ScriptModule};

/// What batch norms store.
const STATISTICS: [&str; 3] = ["running_mean", "running_var", "num_batches_tracked"];

/// A module of the file with the mode that the host sets.
pub struct ModuleMode {
    index: usize,
    mode: Mode,
    code: CodeMode,
    statistics: Vec<(String, Tensor)>,
    /// What the file's module was last set to.
    set: Cell<Option<Setting>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Setting {
    training: bool,
    /// Whether batch norms work on a copy of their stored statistics.
    spare: bool,
}

impl ModuleMode {
    /// The module at `index` of the file, which follows `mode`.
    pub fn new(index: usize, module: &ScriptModule, mode: Mode) -> Self {
        let is_statistic = |name: &str| STATISTICS.contains(&name);
        let statistics =
            module.tensors.iter().filter(|stored| !stored.is_parameter && is_statistic(&stored.name));
        let statistics =
            statistics.map(|stored| (stored.name.clone(), stored.tensor.shallow_clone())).collect();
        Self { index, mode, code: module.mode, statistics, set: Cell::new(None) }
    }

    /// Index of the module in the file.
    pub fn index(&self) -> usize {
        self.index
    }

    /// Sets the file's module to the host's mode.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn follow(&self, script: &Script) -> Result<()> {
        self.apply(script, self.mode.is_training(), self.mode.tracks_running_stats())
    }

    /// Sets the file's module to evaluation mode, until the next [`Self::follow`].
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn evaluate(&self, script: &Script) -> Result<()> {
        self.apply(script, false, false)
    }

    fn apply(&self, script: &Script, training: bool, tracking: bool) -> Result<()> {
        let runs_in_training = match self.code {
            CodeMode::Fixed(fixed) => fixed,
            CodeMode::Free | CodeMode::None => training,
        };
        // The code updates what it normalises with. `track_running_stats` is a constant of it: statistics
        // that are to stay are lent as a copy.
        let spare = runs_in_training && !(training && tracking);
        let setting = Setting { training, spare };
        if self.set.get() == Some(setting) {
            return Ok(());
        }
        for (name, stored) in &self.statistics {
            let copy = if spare { Some(copy_of(stored)?) } else { None };
            script.set_tensor(self.index, name, copy.as_ref().unwrap_or(stored))?;
        }
        script.set_training(self.index, training)?;
        self.set.set(Some(setting));
        Ok(())
    }
}

fn copy_of(stored: &Tensor) -> Result<Tensor> {
    let mut copy = stored.f_empty_like()?;
    no_grad(|| copy.f_copy_(stored))?;
    Ok(copy)
}
