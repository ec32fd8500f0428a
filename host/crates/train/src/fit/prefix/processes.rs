//! What a prefix gives for a batch, computed by several processes in shares and put together in all.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, TchError, Tensor};

use super::Hindrance;
use super::fill::Tried;
use crate::Error;
use crate::error::torch;
use crate::world::{World, WorldError};

/// A process' share of a batch.
pub(super) struct Part {
    /// The samples.
    pub indices: Vec<usize>,
    /// What the stages gave for them.
    pub outputs: Vec<(String, Tensor)>,
    /// Their targets.
    pub targets: Option<Tensor>,
}

/// What comes before the bytes of a part's tensors.
#[derive(Serialize, Deserialize)]
struct Head {
    indices: Vec<usize>,
    outputs: Vec<Form>,
    targets: Option<Form>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    name: String,
    kind: String,
    shape: Vec<i64>,
    bytes: usize,
}

/// Place of the run in messages.
const PLACE: &str = "the computing of the frozen prefix";

/// The shares of all processes, by rank, which is the order of the samples; or why one of them cannot go on.
///
/// # Errors
/// A process has failed, is gone, elsewhere, or does not come.
pub(super) fn of_all(world: &World, own: Tried<Part>) -> Result<Tried<Vec<Part>>, Error> {
    if world.is_single() {
        return Ok(own.map(|part| vec![part]));
    }
    let own = match agreed(world, own)? {
        Ok(own) => own,
        Err(hindrance) => return Ok(Err(hindrance)),
    };
    let bytes = to_bytes(&own).map_err(torch("what the frozen prefix gives"))?;
    let all = world.gather(PLACE, bytes)?.into_iter().enumerate().map(|(rank, bytes)| {
        let foreign = || WorldError::Foreign {
            rank,
            place: PLACE.to_owned(),
            reason: "tensors of a kind that is not known here".to_owned(),
        };
        from_bytes(&bytes).ok_or_else(foreign)
    });
    Ok(Ok(all.collect::<Result<Vec<_>, _>>()?))
}

/// Whether the user ends the run, in any process.
///
/// # Errors
/// As [`of_all`].
pub(super) fn any_leaves(world: &World, leaves: bool) -> Result<bool, WorldError> {
    Ok(world.exchange(format_args!("a batch of {PLACE}"), leaves)?.contains(&true))
}

/// Whether all processes can go on; else why the first one that cannot, cannot.
///
/// # Errors
/// As [`of_all`].
pub(super) fn agreed<T>(world: &World, own: Tried<T>) -> Result<Tried<T>, WorldError> {
    let reasons = world.exchange(PLACE, own.as_ref().err().map(ToString::to_string))?;
    let elsewhere = reasons.into_iter().flatten().next();
    Ok(match (own, elsewhere) {
        (Ok(_), Some(reason)) => Err(Hindrance::Elsewhere(reason)),
        (own, _) => own,
    })
}

fn to_bytes(part: &Part) -> Result<Vec<u8>, TchError> {
    let mut tensors = Vec::new();
    let mut form = |name: &str, tensor: &Tensor| -> Result<Form, TchError> {
        let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_contiguous()?.f_view([-1])?;
        let bytes = Vec::<u8>::try_from(flat.f_view_dtype(Kind::Uint8)?)?;
        let (kind, shape) = (format!("{:?}", tensor.kind()), tensor.size());
        let form = Form { name: name.to_owned(), kind, shape, bytes: bytes.len() };
        tensors.extend(bytes);
        Ok(form)
    };
    let outputs = part.outputs.iter().map(|(name, tensor)| form(name, tensor));
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    let targets = part.targets.as_ref().map(|targets| form("", targets)).transpose()?;
    let head = Head { indices: part.indices.clone(), outputs, targets };
    let head = serde_json::to_vec(&head).map_err(|error| TchError::FileFormat(error.to_string()))?;
    let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
    bytes.extend(head);
    bytes.extend(tensors);
    Ok(bytes)
}

fn from_bytes(bytes: &[u8]) -> Option<Part> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (head, mut rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let Head { indices, outputs, targets } = serde_json::from_slice(head).ok()?;
    let mut tensor = |form: Form| -> Option<(String, Tensor)> {
        let (own, left) = rest.split_at_checked(form.bytes)?;
        rest = left;
        let kinds =
            [Kind::Float, Kind::Half, Kind::BFloat16, Kind::Double, Kind::Int64, Kind::Int, Kind::Bool];
        let kinds = kinds.into_iter().chain([Kind::Uint8, Kind::Int8, Kind::Int16]);
        let kind = kinds.into_iter().find(|kind| format!("{kind:?}") == form.kind)?;
        Some((form.name, Tensor::f_from_data_size(own, &form.shape, kind).ok()?))
    };
    let outputs = outputs.into_iter().map(&mut tensor).collect::<Option<Vec<_>>>()?;
    let targets = match targets {
        Some(form) => Some(tensor(form)?.1),
        None => None,
    };
    Some(Part { indices, outputs, targets })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_every_kind_come_through() {
        let numbers = Tensor::from_slice(&[1.5_f32, -2.0, f32::NAN, 0.0]).view([2, 2]);
        let half = numbers.to_kind(Kind::BFloat16).transpose(0, 1);
        let outputs = vec![("x".to_owned(), numbers.shallow_clone()), ("y".to_owned(), half.shallow_clone())];
        let part = Part { indices: vec![3, 7], outputs, targets: Some(Tensor::from_slice(&[1_i64, 0])) };
        let back = from_bytes(&to_bytes(&part).unwrap()).unwrap();
        assert_eq!(back.indices, [3, 7]);
        let same = |found: &Tensor, expected: &Tensor| {
            found.kind() == expected.kind() && found.allclose(expected, 0.0, 0.0, true)
        };
        assert!(same(&back.outputs[0].1, &numbers) && same(&back.outputs[1].1, &half));
        assert_eq!(Vec::<i64>::try_from(back.targets.unwrap()).unwrap(), [1, 0]);
        let none = Part { indices: Vec::new(), outputs: Vec::new(), targets: None };
        assert!(from_bytes(&to_bytes(&none).unwrap()).unwrap().outputs.is_empty());
        assert!(from_bytes(&[9, 0]).is_none(), "what is cut off is refused");
    }
}
