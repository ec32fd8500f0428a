//! Sets of tensors in files against what PyTorch holds of them (`files/expected.json`).

use std::collections::BTreeMap;

use serde_json::Value;
use thaw_plugin_api::tch::{Kind, Tensor};

use crate::reference::shape;
use crate::{Deviation, Outcome};

/// Compares everything that `content` says of a set of tensors: names, shapes, types, first values and norms.
/// `dtype` is that of a whole file whose values are `content`'s, rounded.
///
/// # Errors
/// The first difference.
pub fn check_tensors(found: &[(String, Tensor)], content: &Value, dtype: Option<&str>) -> Outcome {
    let ours: BTreeMap<&str, &Tensor> = found.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    let theirs: BTreeMap<&str, &Value> =
        content.as_object().into_iter().flatten().map(|(name, row)| (name.as_str(), row)).collect();
    if !ours.keys().eq(theirs.keys()) {
        return Err(format!("tensors {:?}, the reference has {:?}", ours.keys(), theirs.keys()));
    }
    let mut deviation = Deviation::default();
    for (name, row) in theirs {
        let tensor = ours[name];
        let dtype = dtype.or_else(|| row["dtype"].as_str()).unwrap_or_default();
        if tensor.size() != shape(&row["shape"]) || Some(tensor.kind()) != kind_named(dtype) {
            let (size, kind) = (tensor.size(), tensor.kind());
            return Err(format!(
                "`{name}` is {kind:?} of shape {size:?}, the reference has {dtype} of {}",
                row["shape"]
            ));
        }
        check_values(name, tensor, row, rounding(dtype), &mut deviation)?;
    }
    Ok(deviation)
}

fn check_values(
    name: &str,
    tensor: &Tensor,
    row: &Value,
    rounding: f64,
    deviation: &mut Deviation,
) -> Result<(), String> {
    let values = tensor.flatten(0, -1).to_kind(Kind::Double);
    for (index, theirs) in row["first"].as_array().into_iter().flatten().enumerate() {
        let theirs =
            theirs.as_f64().or(theirs.as_bool().map(|value| u8::from(value).into())).unwrap_or(f64::NAN);
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        if index >= values.size()[0] {
            return Err(format!("`{name}` has {} values, the reference more", values.size()[0]));
        }
        deviation.compare(
            &format!("`{name}`, value {index}"),
            values.double_value(&[index]),
            theirs,
            rounding,
            theirs.abs().max(1e-3),
        )?;
    }
    match row["l2"].as_f64() {
        Some(theirs) => deviation.close(
            &format!("norm of `{name}`"),
            values.norm().double_value(&[]),
            theirs,
            rounding.max(1e-9),
        ),
        None => Ok(()),
    }
}

/// What a value may differ by, as a share of it: values are written with nine digits.
fn rounding(dtype: &str) -> f64 {
    match dtype {
        "bfloat16" => 2_f64.powi(-8),
        "float16" => 2_f64.powi(-11),
        _ => 1e-8,
    }
}

fn kind_named(dtype: &str) -> Option<Kind> {
    Some(match dtype {
        "float64" => Kind::Double,
        "float32" => Kind::Float,
        "float16" => Kind::Half,
        "bfloat16" => Kind::BFloat16,
        "int64" => Kind::Int64,
        "int32" => Kind::Int,
        "int16" => Kind::Int16,
        "int8" => Kind::Int8,
        "uint8" => Kind::Uint8,
        "bool" => Kind::Bool,
        _ => return None,
    })
}
