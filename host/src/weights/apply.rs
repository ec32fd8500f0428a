//! Copying planned tensors into a model.

use super::error::WeightsError;
use super::plan::LoadPlan;
use super::state_dict::StateDict;
use tch::Tensor;

/// Copies what is planned from `file` into the model's tensors, which `lookup` gives by name; returns how
/// many.
///
/// The tensors keep their identity, device and element type: values are converted, and copied to where they
/// are. Neither gradients nor `requires_grad` change. On an error the model is partly loaded and of no use.
///
/// # Errors
/// `lookup` knows no tensor of a planned name or one of another shape, or the file is damaged there.
pub fn apply(
    plan: &LoadPlan,
    file: &StateDict,
    mut lookup: impl FnMut(&str) -> Option<Tensor>,
) -> Result<usize, WeightsError> {
    let _no_grad = tch::no_grad_guard();
    for copy in &plan.copies {
        let fault = |reason: String| WeightsError::Tensor {
            path: file.path().to_owned(),
            tensor: copy.model.clone(),
            reason,
        };
        let entry = file.get(&copy.file);
        let entry =
            entry.ok_or_else(|| fault(format!("the plan was made for another file: no '{}'", copy.file)))?;
        let mut tensor =
            lookup(&copy.model).ok_or_else(|| fault("the model has no such tensor".to_owned()))?;
        let shape = tensor.size();
        if shape != copy.shape {
            return Err(fault(format!("planned for shape {:?}, but the model's is {shape:?}", copy.shape)));
        }
        entry.with_tensor(|values| match &copy.resize {
            Some(resize) => tensor.f_copy_(&resize.apply(values)?),
            None => tensor.f_copy_(&values.f_view(&shape[..])?),
        })?;
    }
    Ok(plan.copies.len())
}
