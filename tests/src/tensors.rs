//! Tensors of .safetensors files, as numbers.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// Values of a tensor to write.
#[derive(Clone, Copy, Debug)]
pub enum Values<'v> {
    /// float32.
    F32(&'v [f32]),
    /// int64.
    I64(&'v [i64]),
}

impl Values<'_> {
    fn bytes(self) -> (Dtype, Vec<u8>) {
        match self {
            Self::F32(values) => (Dtype::F32, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
            Self::I64(values) => (Dtype::I64, values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        }
    }
}

/// The tensors of a file by name, in row-major order.
///
/// # Errors
/// No .safetensors file, or one with other numbers than float32, int64 and bytes.
pub fn read_tensors(path: &Path) -> Result<BTreeMap<String, Vec<f64>>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let file = SafeTensors::deserialize(&bytes)
        .with_context(|| format!("{} is no .safetensors file", path.display()))?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.tensors() {
        let data = view.data();
        let numbers = match view.dtype() {
            Dtype::F32 => data
                .chunks_exact(4)
                .map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
                .collect(),
            Dtype::I64 => data
                .chunks_exact(8)
                .map(|b| i64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]) as f64)
                .collect(),
            Dtype::U8 => data.iter().map(|&byte| f64::from(byte)).collect(),
            other => bail!("{}: `{name}` is {other:?}, expected float32, int64 or bytes", path.display()),
        };
        tensors.insert(name, numbers);
    }
    Ok(tensors)
}

/// Writes tensors: name, shape, values.
///
/// # Errors
/// A shape that does not fit its values, or a disk that does not take them.
pub fn write_tensors(path: &Path, tensors: &[(&str, &[usize], Values)]) -> Result<()> {
    let bytes: Vec<_> = tensors.iter().map(|(_, _, values)| values.bytes()).collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), (dtype, bytes))| {
        Ok((*name, TensorView::new(*dtype, shape.to_vec(), bytes)?))
    });
    Ok(safetensors::serialize_to_file(views.collect::<Result<Vec<_>>>()?, None, path)?)
}
