//! The optimizer's first groups: which parameters the run config names.

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::module_tree::{BatchNorm, ModuleTree};
use thaw_plugin_api::optimizer::ParamGroup;

use crate::config::Audit;
use crate::error::FitError;
use thaw_optim::optimizer::OptimizerConfig;
use thaw_plugins::Instance;

/// One group of the parameters that `[optimizer] parameters` names (module paths, or globs over module paths
/// and parameter names), or of all that require gradients. Tied parameters are taken once.
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

/// The tree with everything frozen that `[optimizer] parameters` leaves out, batch norms in evaluation mode,
/// where no strategy is loaded that could thaw it: training a head alone needs no strategy. A laxer audit
/// than `error` asks to leave what is in no group as it is. Gives how many parameters that are, too; none
/// where nothing changes.
///
/// # Errors
/// As [`initial_groups`].
pub fn without_the_rest(
    tree: &ModuleTree,
    config: &OptimizerConfig,
    callbacks: &[Instance],
    audit: Audit,
) -> Result<Option<(ModuleTree, usize)>, FitError> {
    let Some(patterns) = &config.parameters else { return Ok(None) };
    if audit != Audit::Error || callbacks.iter().any(|callback| callback.kind() == Kind::Strategy) {
        return Ok(None);
    }
    let refused = |error| FitError::Config(format!("[optimizer] parameters: {error}"));
    let mut selection = tree.select(patterns).map_err(refused)?;
    let before = tree.trainable().len();
    selection.parameters.retain(|name| tree.parameter(name).is_ok_and(|parameter| parameter.requires_grad));
    let mut only = tree.clone();
    only.train_only(&selection, BatchNorm::Eval);
    let frozen = before.saturating_sub(only.trainable().len());
    Ok((frozen > 0).then_some((only, frozen)))
}

#[cfg(test)]
mod tests {
    use thaw_plugin_api::testing::FakeModel;

    use super::*;

    #[test]
    fn a_glob_chooses_modules_and_parameters_as_it_does_in_strategies() {
        let tree = FakeModel::new()
            .linear("block0", 2, 2)
            .linear("block1", 2, 2)
            .linear("head", 2, 2)
            .tree()
            .unwrap();
        let parameters = |pattern: &str| {
            let config: OptimizerConfig =
                toml::from_str(&format!("id = 'sgd'\nlr = 0.1\nparameters = ['{pattern}']")).unwrap();
            initial_groups(&tree, &config)
                .map(|groups| groups[0].parameters.clone())
                .map_err(|error| error.to_string())
        };
        assert_eq!(parameters("block[1-3]").unwrap(), ["block1.weight", "block1.bias"]);
        assert_eq!(parameters("*.bias").unwrap(), ["block0.bias", "block1.bias", "head.bias"]);
        assert_eq!(parameters("head").unwrap(), ["head.weight", "head.bias"]);
        let error = parameters("haed").unwrap_err();
        assert!(
            error.contains("[optimizer] parameters")
                && error.contains("`haed`")
                && error.contains("did you mean `head`?"),
            "{error}"
        );
    }
}
