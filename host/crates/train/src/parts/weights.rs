//! Weights that a model starts from, or was left with.

use std::path::Path;

use thaw_plugin_api::module_tree::Module;

use crate::Error;
use crate::config::RunConfig;
use crate::model::{HostModel, load_weights};
use thaw_weights::{Remark, apply, plan_checkpoint, read};

/// Loads the weights that the run config names, and says what became of them.
pub(crate) fn start_from_weights(config: &RunConfig, model: &mut HostModel) -> Result<(), Error> {
    let Some(weights) = &config.model.weights else { return Ok(()) };
    let path = thaw_terminal::escape::path(&weights.path);
    for remark in load_weights(model, weights)?.remarks() {
        match remark {
            Remark::Info(text) => tracing::info!("{path}: {text}"),
            Remark::Warning(text) => tracing::warn!("{path}: {text}"),
        }
    }
    Ok(())
}

/// Loads the weights and freeze state that a checkpoint has: its file of them, and its modules.
///
/// # Errors
/// They are another model's, or the file is damaged.
pub fn load_checkpoint(model: &mut HostModel, file: &Path, modules: &[Module]) -> Result<(), Error> {
    let file = read(file)?;
    let plan = plan_checkpoint(&model.tensor_specs(), &file)?;
    apply(&plan, &file, |name| model.tensor(name).ok().map(tch::Tensor::shallow_clone))?;
    Ok(model.restore_freeze_state(modules)?)
}
