//! Copying planned tensors into a model.

use super::error::WeightsError;
use super::plan::LoadPlan;
use super::state_dict::{Entry, StateDict};
use tch::{Kind, Tensor};

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
        let entry = file.all().get(copy.at).filter(|entry| entry.name() == copy.file);
        let entry =
            entry.ok_or_else(|| fault(format!("the plan was made for another file: no '{}'", copy.file)))?;
        let mut tensor =
            lookup(&copy.model).ok_or_else(|| fault("the model has no such tensor".to_owned()))?;
        let shape = tensor.size();
        if shape != copy.shape {
            return Err(fault(format!("planned for shape {:?}, but the model's is {shape:?}", copy.shape)));
        }
        if let Some(reason) = loses_values(copy.from, copy.to, entry)? {
            return Err(fault(reason));
        }
        entry.with_tensor(|values| match &copy.resize {
            Some(resize) => tensor.f_copy_(&resize.apply(values)?),
            None => tensor.f_copy_(&values.f_view(&shape[..])?),
        })?;
    }
    Ok(plan.copies.len())
}

/// Why values of type `from` are not the model's of type `to`, where the conversion would change what they
/// mean.
fn loses_values(from: Kind, to: Kind, entry: &Entry) -> Result<Option<String>, WeightsError> {
    if !is_integer(from) && is_integer(to) {
        let is_whole = entry
            .with_tensor(|values| values.f_eq_tensor(&values.f_round()?)?.f_all()?.f_int64_value(&[]))?;
        return Ok((is_whole == 0).then(|| {
            format!("it holds {from:?} with fractions, but the model's are {to:?}: they would be cut off")
        }));
    }
    let is_quantised = matches!(from, Kind::Int8 | Kind::Uint8) && !is_integer(to);
    Ok(is_quantised.then(|| {
        format!(
            "it holds {from:?}, but the model's are {to:?}: quantised weights without their scales are no \
             weights; save them dequantised"
        )
    }))
}

fn is_integer(kind: Kind) -> bool {
    matches!(kind, Kind::Bool | Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64)
}
