//! The optimizer's first groups: which parameters the run config names.

use globset::GlobBuilder;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use super::FitError;
use crate::optimizer::OptimizerConfig;

/// One group of the parameters that `[optimizer] parameters` names (module paths, or globs over parameter names), or
/// of all that require gradients. Tied parameters are taken once.
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
        let found = matching(tree, pattern)?;
        if found.is_empty() {
            return Err(unknown(tree, pattern));
        }
        for name in found {
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

/// Names of the storages that a module path or glob stands for, in state_dict order.
fn matching(tree: &ModuleTree, pattern: &str) -> Result<Vec<String>, FitError> {
    let storage = |parameter: &thaw_plugin_api::module_tree::Parameter| parameter.storage().to_owned();
    if let Ok(modules) = tree.subtree(pattern) {
        return Ok(modules.flat_map(|module| &module.parameters).map(storage).collect());
    }
    let glob = GlobBuilder::new(pattern)
        .build()
        .map_err(|error| FitError::Config(format!("[optimizer] parameters: `{pattern}` is no module and no glob: {error}")))?
        .compile_matcher();
    Ok(tree.parameters().filter(|parameter| glob.is_match(&parameter.name)).map(storage).collect())
}

fn unknown(tree: &ModuleTree, pattern: &str) -> FitError {
    let paths = tree.modules().iter().map(|module| module.path.as_str()).filter(|path| !path.is_empty());
    let hint = thaw_plugin_api::nearest(pattern, paths).map(|nearest| format!(", did you mean `{nearest}`?"));
    let top = tree.children("").unwrap_or_default().join(", ");
    let hint = hint.unwrap_or_else(|| format!("; its top modules are: {top}"));
    FitError::Config(format!("[optimizer] parameters: the model has nothing named `{pattern}`{hint}"))
}
