//! Freeze state and modes, applied to tensors and modules.

use tch::Device;
use thaw_plugin_api::module_tree::{Module, ModuleTree};

use super::{HostModel, ModelError, Phase};

const TRAINING: u8 = 1;
const TRACKING: u8 = 2;

impl HostModel {
    /// Moves every tensor; those shared with the plugin's layers stay shared.
    ///
    /// # Errors
    /// The device's memory is too small.
    pub fn to_device(&mut self, device: Device) -> Result<(), ModelError> {
        if device == self.device {
            return Ok(());
        }
        let _guard = tch::no_grad_guard();
        for index in 0..self.tensors.len() {
            let (name, tensor) = &self.tensors[index];
            let what = format!("moving `{name}` to {device:?}");
            let moved = tensor.f_to_device(device).map_err(self.torch_error(&what))?;
            self.tensors[index].1.f_set_data(&moved).map_err(|error| ModelError::Torch {
                model: self.id.clone(),
                what,
                message: thaw_torch::short_message(&error.to_string()).to_owned(),
            })?;
        }
        self.device = device;
        Ok(())
    }

    /// Switches between training and validation.
    pub fn set_phase(&mut self, phase: Phase) {
        if phase != self.phase {
            self.phase = phase;
            self.push_modes();
        }
    }

    /// Takes over freeze state and modes of `tree`, which must be this model's.
    ///
    /// # Errors
    /// Another model's tree, or a parameter that cannot have gradients.
    pub fn apply_tree(&mut self, mut tree: ModuleTree) -> Result<(), ModelError> {
        let wrong = |reason: String| ModelError::Tree { model: self.id.clone(), reason };
        if tree.modules().len() != self.tree.modules().len() {
            return Err(wrong(format!(
                "expected {} modules, found {}",
                self.tree.modules().len(),
                tree.modules().len()
            )));
        }
        for (ours, theirs) in self.tree.modules().iter().zip(tree.modules()) {
            if ours.path != theirs.path
                || !ours.parameters.iter().map(|p| &p.name).eq(theirs.parameters.iter().map(|p| &p.name))
            {
                return Err(wrong(format!(
                    "expected module `{}`, found `{}` or other parameters in it",
                    ours.path, theirs.path
                )));
            }
        }
        let held = tree.hold_fixed_modes(&self.description.tree);
        self.tell_fixed(held);
        self.tree = tree;
        self.tree.mark_unchanged();
        self.changes += 1;
        self.push_requires_grad()?;
        self.push_modes();
        Ok(())
    }

    /// Says once for each module that a strategy asked for a mode which it does not know.
    fn tell_fixed(&mut self, mut held: Vec<String>) {
        held.retain(|path| self.told_fixed.insert(path.clone()));
        for training in [false, true] {
            let (mode, other) =
                if training { ("training", "evaluation") } else { ("evaluation", "training") };
            let is_fixed = |path: &&str| {
                self.description.tree.get(path).is_ok_and(|module| module.fixed_mode == Some(training))
            };
            let paths: Vec<&str> = held.iter().map(String::as_str).filter(is_fixed).collect();
            if !paths.is_empty() {
                tracing::warn!(
                    "{other} mode was asked for, but these modules know {mode} mode only and stay in it: {}",
                    paths.join(", ")
                );
            }
        }
    }

    /// Restores freeze state by name from what a checkpoint keeps.
    ///
    /// # Errors
    /// As [`Self::apply_tree`].
    pub fn restore_freeze_state(&mut self, saved: &[Module]) -> Result<(), ModelError> {
        let mut tree = self.tree.clone();
        tree.restore_freeze_state(saved)
            .map_err(|error| ModelError::Tree { model: self.id.clone(), reason: error.to_string() })?;
        self.apply_tree(tree)
    }

    fn push_requires_grad(&mut self) -> Result<(), ModelError> {
        let wanted: Vec<(String, bool)> = self
            .tree
            .parameters()
            .map(|parameter| (parameter.name.clone(), parameter.requires_grad))
            .collect();
        for (name, requires_grad) in wanted {
            if requires_grad {
                self.widen(&name)?;
            }
            let tensor = self.tensor(&name)?;
            if tensor.requires_grad() == requires_grad {
                continue;
            }
            let tensor = tensor
                .f_set_requires_grad(requires_grad)
                .map_err(self.torch_error(&format!("requires_grad of `{name}`")))?;
            if !requires_grad {
                // A gradient from before would still be stepped on.
                let frozen = thaw_torch::gradients::TensorList::new(vec![tensor]);
                thaw_torch::gradients::zero_grad(&frozen).map_err(|error| ModelError::Torch {
                    model: self.id.clone(),
                    what: format!("clearing the gradient of `{name}`"),
                    message: error.to_string(),
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn push_modes(&mut self) {
        let phase = self.phase;
        let mode = |module: &Module| {
            let training = if phase == Phase::Train && module.training { TRAINING } else { 0 };
            let tracking = if module.track_running_stats.unwrap_or(true) { TRACKING } else { 0 };
            training | tracking
        };
        let modes: Vec<u8> = self.tree.modules().iter().map(mode).collect();
        let _entered = self.caller.enter("set_modes");
        self.raw.set_modes(modes[..].into());
    }
}
