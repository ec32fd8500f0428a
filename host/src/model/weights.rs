//! Weights from a file into a model.

use super::HostModel;
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::weights::{LoadPlan, TensorSpec, WeightsConfig, WeightsError, apply, plan_load, read};

/// Loads what `[model] weights` names, strictly unless it says otherwise.
///
/// # Errors
/// A file that cannot be read, or tensors that do not fit: all of them are named.
pub fn load_weights(model: &HostModel, config: &WeightsConfig) -> Result<LoadPlan, WeightsError> {
    let file = read(&config.path)?;
    let mut config = config.clone();
    for name in file.names().filter(|name| model.tensor(name).is_err()) {
        if let Some(own) = aliased(name, &model.description().weight_aliases) {
            config.map.entry(name.to_owned()).or_insert(own);
        }
    }
    let plan = plan_load(&model.tensor_specs(), &file, &config)?;
    apply(&plan, &file, |name| model.tensor(name).ok().map(tch::Tensor::shallow_clone))?;
    Ok(plan)
}

/// Loads a checkpoint's weights and freeze state.
///
/// # Errors
/// The checkpoint is another model's, or damaged.
pub fn load_checkpoint(model: &mut HostModel, checkpoint: &Checkpoint) -> Result<(), Error> {
    let file = read(checkpoint.model_file())?;
    let plan = plan_load(&model.tensor_specs(), &file, &WeightsConfig::new(checkpoint.folder()))?;
    apply(&plan, &file, |name| model.tensor(name).ok().map(tch::Tensor::shallow_clone))?;
    Ok(model.restore_freeze_state(&checkpoint.state.modules)?)
}

impl HostModel {
    /// Names, shapes and types of the state_dict, as a file has to have them.
    pub fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.state_dict().iter().map(|(name, tensor)| TensorSpec::new(name.clone(), tensor.size(), tensor.kind())).collect()
    }
}

/// The model's own name for a pretrained file's: the longest alias that the name lies at or below counts.
fn aliased(name: &str, aliases: &[(String, String)]) -> Option<String> {
    let rest_of = |from: &str| match name.strip_prefix(from)? {
        rest if from.is_empty() => Some(format!(".{rest}")),
        rest => (rest.is_empty() || rest.starts_with('.')).then(|| rest.to_owned()),
    };
    let fitting = aliases.iter().filter_map(|(from, to)| Some((from.len(), format!("{to}{}", rest_of(from)?))));
    fitting.max_by_key(|(length, _)| *length).map(|(_, own)| own.trim_start_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_alias_of_whole_path_parts_counts() {
        let aliases = [("fc", "head"), ("layer1", "backbone.layer1"), ("layer1.0", "backbone.first")];
        let aliases = aliases.map(|(from, to)| (from.to_owned(), to.to_owned()));
        assert_eq!(aliased("fc.weight", &aliases).as_deref(), Some("head.weight"));
        assert_eq!(aliased("layer1.0.bn.bias", &aliases).as_deref(), Some("backbone.first.bn.bias"));
        assert_eq!(aliased("layer10.weight", &aliases), None);
    }
}
