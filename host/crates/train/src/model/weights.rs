//! Weights from a file into a model.

use super::HostModel;
use thaw_weights::{
    LoadPlan, PretrainedNames, TensorSpec, WeightsConfig, WeightsError, apply, plan_pretrained, read,
};

/// Loads what `[model] weights` names, strictly unless it says otherwise; the names may be those of the
/// model's pretrained files.
///
/// # Errors
/// A file that cannot be read, or tensors that do not fit: all of them are named.
pub fn load_weights(model: &mut HostModel, config: &WeightsConfig) -> Result<LoadPlan, WeightsError> {
    let file = read(&config.path)?;
    let plan =
        plan_pretrained(&model.tensor_specs(), &file, config, &PretrainedNames::from(model.description()))?;
    apply(&plan, &file, |name| model.tensor(name).ok().map(tch::Tensor::shallow_clone))?;
    model.pretrained.extend(plan.copies.iter().map(|copy| copy.model.clone()));
    Ok(plan)
}

impl HostModel {
    /// Whether weights from a file fill the whole last stage; without stages, the whole model.
    pub fn has_pretrained_head(&self) -> bool {
        let modules = self.stages().last().map(|stage| stage.modules.as_slice());
        let mut of_head = self.state_dict().iter().map(|(name, _)| name).filter(|name| {
            let within = |module: &String| {
                name.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with('.'))
            };
            modules.is_none_or(|modules| modules.iter().any(within))
        });
        !self.pretrained.is_empty() && of_head.all(|name| self.pretrained.contains(name))
    }

    /// Names, shapes and types of the state_dict, as a file has to have them.
    pub fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.state_dict()
            .iter()
            .map(|(name, tensor)| TensorSpec::new(name.clone(), tensor.size(), tensor.kind()))
            .collect()
    }
}
