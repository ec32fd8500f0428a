//! What hooks can change of a run, set aside and put back.

use std::collections::BTreeMap;

use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use super::state::Requests;
use super::{FitError, RunState};
use crate::Error;
use thaw_optim::optimizer::OptimizerConfig;

/// What hooks can change of a run besides the values of tensors.
pub(super) struct SetAside {
    tree: ModuleTree,
    optimizer: Option<(OptimizerConfig, Vec<ParamGroup>)>,
    metrics: BTreeMap<String, f64>,
    requests: Requests,
    changed: bool,
}

impl RunState {
    /// Takes note of what hooks can change.
    pub(super) fn set_aside(&self) -> SetAside {
        SetAside {
            tree: self.model.tree().clone(),
            optimizer: self
                .optimizer
                .as_ref()
                .map(|optimizer| (optimizer.config().clone(), optimizer.groups().to_vec())),
            metrics: self.metrics.clone(),
            requests: self.requests.clone(),
            changed: self.changed,
        }
    }

    /// Puts that back.
    ///
    /// # Errors
    /// libtorch refuses.
    pub(super) fn put_back(&mut self, before: &SetAside) -> Result<(), Error> {
        self.model.apply_tree(before.tree.clone())?;
        if let (Some(optimizer), Some((config, groups))) = (&mut self.optimizer, &before.optimizer) {
            if optimizer.config() != config {
                optimizer.replace(config.clone()).map_err(FitError::from)?;
            }
            optimizer.set_groups(groups.clone()).map_err(FitError::from)?;
        }
        (self.metrics, self.requests, self.changed) =
            (before.metrics.clone(), before.requests.clone(), before.changed);
        Ok(())
    }
}
