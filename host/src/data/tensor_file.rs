//! Tensors of a `.safetensors` or `.npz` file as plain bytes.

use super::DataError;
use super::error::nearest;
use memmap2::Mmap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Kind, Tensor};

mod npz;

/// Tensors by name; nothing is copied yet.
pub(crate) struct TensorFile {
    path: PathBuf,
    tensors: Vec<(String, RawTensor)>,
}

/// Little-endian, contiguous.
#[derive(Clone)]
pub(crate) struct RawTensor {
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<usize>,
    bytes: Bytes,
}

#[derive(Clone)]
enum Bytes {
    Owned(Arc<[u8]>),
    Mapped(Arc<Mmap>, Range<usize>),
}

impl RawTensor {
    fn owned(kind: Kind, shape: Vec<usize>, bytes: Vec<u8>) -> RawTensor {
        RawTensor { kind, shape, bytes: Bytes::Owned(bytes.into()) }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Owned(bytes) => bytes,
            Bytes::Mapped(map, range) => &map[range.clone()],
        }
    }

    /// Bytes of one row, that is of one element of the first dimension.
    pub(crate) fn row_bytes(&self) -> usize {
        let elements: usize = self.shape[1..].iter().product();
        elements * self.kind.elt_size_in_bytes()
    }

    /// Floats as f32, everything else as i64, so that a batch is a copy of bytes.
    pub(crate) fn widened(self) -> Result<RawTensor, DataError> {
        let kind = match self.kind {
            Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double => Kind::Float,
            _ => Kind::Int64,
        };
        if kind == self.kind {
            return Ok(self);
        }
        let shape: Vec<i64> = self.shape.iter().map(|&n| n as i64).collect();
        let tensor = Tensor::f_from_data_size(self.bytes(), &shape, self.kind)?.f_to_kind(kind)?;
        let count = tensor.numel();
        let mut bytes = vec![0; count * kind.elt_size_in_bytes()];
        tensor.f_copy_data_u8(&mut bytes, count)?;
        Ok(RawTensor::owned(kind, self.shape, bytes))
    }

    /// Element of an i64 tensor by its flat index.
    pub(crate) fn i64_value(&self, index: usize) -> Option<i64> {
        let bytes = self.bytes().get(index * 8..index * 8 + 8)?;
        Some(i64::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl TensorFile {
    /// Opens a file by its ending.
    pub(crate) fn open(path: &Path) -> Result<TensorFile, DataError> {
        let tensors = match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => safetensors_file(path)?,
            Some("npz") => npz::read(path)?,
            _ => {
                let found = "its kind is not known by its ending";
                return Err(DataError::layout(path, found, "use .safetensors or .npz"));
            }
        };
        Ok(TensorFile { path: path.to_path_buf(), tensors })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.tensors.iter().any(|(n, _)| n == name)
    }

    /// A tensor by its key.
    pub(crate) fn get(&self, name: &str) -> Result<RawTensor, DataError> {
        match self.tensors.iter().find(|(n, _)| n == name) {
            Some((_, tensor)) => Ok(tensor.clone()),
            None => {
                let hint = nearest(name, self.tensors.iter().map(|(n, _)| n.as_str()));
                Err(self.error(name, "it is missing", format!("it in the file; {hint}")))
            }
        }
    }

    pub(crate) fn error(
        &self,
        name: &str,
        found: impl Into<String>,
        expected: impl Into<String>,
    ) -> DataError {
        DataError::Tensor {
            path: self.path.clone(),
            name: name.to_string(),
            found: found.into(),
            expected: expected.into(),
        }
    }
}

fn safetensors_file(path: &Path) -> Result<Vec<(String, RawTensor)>, DataError> {
    use safetensors::tensor::{Dtype, SafeTensors};
    let file = std::fs::File::open(path).map_err(DataError::io(path))?;
    // SAFETY: the bytes are only read; a file that another program changes meanwhile gives wrong samples, as
    // any reader of it would see.
    let map = unsafe { Mmap::map(&file) }.map_err(DataError::io(path))?;
    let map = Arc::new(map);
    let contents = SafeTensors::deserialize(&map).map_err(|e| {
        DataError::layout(path, format!("not readable as safetensors: {e}"), "write it again")
    })?;
    let mut tensors = Vec::new();
    for (name, view) in contents.tensors() {
        let kind = match view.dtype() {
            Dtype::BOOL => Kind::Bool,
            Dtype::U8 => Kind::Uint8,
            Dtype::I8 => Kind::Int8,
            Dtype::I16 => Kind::Int16,
            Dtype::I32 => Kind::Int,
            Dtype::I64 => Kind::Int64,
            Dtype::F16 => Kind::Half,
            Dtype::BF16 => Kind::BFloat16,
            Dtype::F32 => Kind::Float,
            Dtype::F64 => Kind::Double,
            other => {
                return Err(DataError::Tensor {
                    path: path.to_path_buf(),
                    name,
                    found: format!("type {other:?}"),
                    expected: "bool, u8, i8 to i64, f16, bf16, f32 or f64".to_string(),
                });
            }
        };
        let start = view.data().as_ptr() as usize - map.as_ptr() as usize;
        let bytes = Bytes::Mapped(Arc::clone(&map), start..start + view.data().len());
        let shape = view.shape().to_vec();
        tensors.push((name, RawTensor { kind, shape, bytes }));
    }
    Ok(tensors)
}
