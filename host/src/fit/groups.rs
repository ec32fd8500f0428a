//! The optimizer's first groups: which parameters the run config names.

use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use super::FitError;
use crate::optimizer::OptimizerConfig;

/// One group of the parameters that `[optimizer] parameters` names (module paths, or globs over module paths and
/// parameter names), or of all that require gradients. Tied parameters are taken once.
///
/// # Errors
/// A name that fits nothing, or a malformed glob.
pub fn initial_groups(tree: &ModuleTree, config: &OptimizerConfig) -> Result<Vec<ParamGroup>, FitError> {
    let Some(patterns) = &config.parameters else {
        let trainable: Vec<String> = tree.trainable().into_iter().map(str::to_owned).collect();
        return Ok(if trainable.is_empty() { Vec::new() } else { vec![config.group("default", trainable)] });
    };
    let mut names: Vec<String> = Vec::new();
    for pattern in patterns {
        let refused = |error| FitError::Config(format!("[optimizer] parameters: {error}"));
        for name in tree.select([pattern]).map_err(refused)?.parameters {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    let name = match patterns.as_slice() {
        [one] if tree.contains(one) && !one.is_empty() => one.clone(),
        _ => "default".to_owned(),
    };
    Ok(vec![config.group(name, names)])
}
