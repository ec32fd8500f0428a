//! Tensors of a `.safetensors` or `.npz` file as plain bytes.

use super::DataError;
use super::error::nearest;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::Kind;
use thaw_files::mapped::MappedFile;

mod npz;

/// Tensors by name; nothing is read before it is asked for.
pub(crate) struct TensorFile {
    path: PathBuf,
    contents: Contents,
}

enum Contents {
    Mapped(Vec<(String, RawTensor)>),
    Packed(npz::Archive),
}

/// Little-endian, contiguous, as in the file: what is narrow there stays so in memory.
#[derive(Clone)]
pub(crate) struct RawTensor {
    pub(crate) kind: Kind,
    pub(crate) shape: Vec<usize>,
    bytes: Bytes,
}

#[derive(Clone)]
enum Bytes {
    Owned(Arc<[u8]>),
    Mapped(Arc<MappedFile>, Range<usize>),
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

    /// Element of a tensor of whole numbers by its flat index; None beyond the end, or of another kind.
    pub(crate) fn whole_number(&self, index: usize) -> Option<i64> {
        let width = self.kind.elt_size_in_bytes();
        let bytes = self.bytes().get(index * width..(index + 1) * width)?;
        match (self.kind, bytes) {
            (Kind::Bool | Kind::Uint8, &[byte]) => Some(i64::from(byte)),
            (Kind::Int8, &[byte]) => Some(i64::from(byte as i8)),
            (Kind::Int16, &[a, b]) => Some(i64::from(i16::from_le_bytes([a, b]))),
            (Kind::Int, bytes) => Some(i64::from(i32::from_le_bytes(bytes.try_into().ok()?))),
            (Kind::Int64, bytes) => Some(i64::from_le_bytes(bytes.try_into().ok()?)),
            _ => None,
        }
    }
}

impl TensorFile {
    /// Opens a file by its ending. What is asked for of a `.npz` may take `max_mib` MiB.
    pub(crate) fn open(path: &Path, max_mib: u64) -> Result<TensorFile, DataError> {
        let contents = match path.extension().and_then(|e| e.to_str()) {
            Some("safetensors") => Contents::Mapped(safetensors_file(path)?),
            Some("npz") => Contents::Packed(npz::Archive::open(path, max_mib)?),
            _ => {
                let found = "its kind is not known by its ending";
                return Err(DataError::layout(path, found, "use .safetensors or .npz"));
            }
        };
        Ok(TensorFile { path: path.to_path_buf(), contents })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.names().any(|known| known == name)
    }

    /// A tensor by its key.
    pub(crate) fn get(&self, name: &str) -> Result<RawTensor, DataError> {
        let tensor = match &self.contents {
            Contents::Mapped(tensors) => {
                tensors.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.clone())
            }
            Contents::Packed(archive) => archive.get(name, &self.path)?,
        };
        tensor.ok_or_else(|| {
            let hint = nearest(name, self.names());
            self.error(name, "it is missing", format!("it in the file; {hint}"))
        })
    }

    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.contents {
            Contents::Mapped(tensors) => Box::new(tensors.iter().map(|(name, _)| name.as_str())),
            Contents::Packed(archive) => Box::new(archive.names()),
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
    let map = Arc::new(MappedFile::open(path).map_err(DataError::io(path))?);
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
