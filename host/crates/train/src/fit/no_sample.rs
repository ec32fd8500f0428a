//! What hooks see of a batch that other processes have alone: the outputs' names, kinds and sizes, of no
//! sample.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};
use thaw_plugin_api::model::Tensors;

use crate::Error;
use crate::error::torch;
use crate::world::World;

/// An output as processes tell each other of it.
#[derive(Serialize, Deserialize)]
struct Form {
    name: String,
    /// libtorch's name.
    kind: String,
    /// Of one sample.
    shape: Option<Vec<i64>>,
}

const KINDS: [Kind; 10] = [
    Kind::Float,
    Kind::Half,
    Kind::BFloat16,
    Kind::Double,
    Kind::Int64,
    Kind::Int,
    Kind::Bool,
    Kind::Uint8,
    Kind::Int8,
    Kind::Int16,
];

/// Outputs of these names and sizes for no sample at all.
pub(super) fn none_of(outputs: &Tensors) -> Result<Tensors, TchError> {
    let none = |(name, output): (&str, &Tensor)| {
        let none = if output.dim() > 0 { output.f_narrow(0, 0, 0)? } else { output.shallow_clone() };
        Ok((name.to_owned(), none.f_detach_copy()?))
    };
    outputs.iter().map(none).collect()
}

/// What those processes know of outputs that have had a sample, for one that has not.
///
/// # Errors
/// A process has failed, is gone, elsewhere, or does not come.
pub(super) fn outputs_of_others(world: &World, known: Option<Tensors>) -> Result<Option<Tensors>, Error> {
    let own: Option<Vec<Form>> = known.as_ref().map(|outputs| outputs.iter().map(form_of).collect());
    let all = world.exchange("what outputs look like", own)?;
    if known.is_some() {
        return Ok(known);
    }
    let forms = all.into_iter().flatten().next().unwrap_or_default();
    let outputs: Result<Vec<(String, Tensor)>, TchError> = forms.into_iter().map(none_like).collect();
    let outputs: Tensors = outputs.map_err(torch("outputs of no sample"))?.into_iter().collect();
    Ok(Some(outputs))
}

fn form_of((name, output): (&str, &Tensor)) -> Form {
    let shape = (output.dim() > 0).then(|| output.size()[1..].to_vec());
    Form { name: name.to_owned(), kind: format!("{:?}", output.kind()), shape }
}

/// A number that is one for the whole batch is none of it.
fn none_like(form: Form) -> Result<(String, Tensor), TchError> {
    let kind = KINDS.into_iter().find(|kind| format!("{kind:?}") == form.kind).unwrap_or(Kind::Float);
    let output = match form.shape {
        Some(of_one) => Tensor::f_zeros([&[0][..], &of_one].concat(), (kind, Device::Cpu))?,
        None => Tensor::f_full([0_i64; 0], f64::NAN, (Kind::Float, Device::Cpu))?.f_to_kind(kind)?,
    };
    Ok((form.name, output))
}
