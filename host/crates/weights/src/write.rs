//! Writing .safetensors files, whole or not at all, and their checksums.

use super::error::WeightsError;
use super::plan::below;
use safetensors::tensor::Dtype;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, HashSet};
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tch::{Device, Kind, Tensor};
use thaw_files::durable;
use thaw_files::sha256::Sha256Writer;

/// What of the tensors is written and how.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WriteOptions {
    /// The element type of all floating-point tensors: float16, bfloat16, float32 or float64. Values are
    /// rounded to nearest even. Integers and bools stay as they are. Default: each its own.
    pub kind: Option<Kind>,
    /// Only what lies in this module, as `backbone`. Default: all.
    pub module: Option<String>,
    /// Whether names in `module` keep its path, so that the file fits the whole model; else it fits the
    /// module alone.
    pub keep_prefix: bool,
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The file's length in bytes.
    pub bytes: u64,
    /// The file's SHA-256, in lower-case hexadecimal.
    pub sha256: String,
    /// How many tensors it holds.
    pub tensors: usize,
}

/// Writes tensors as a .safetensors file that `safetensors.torch.load_file` and
/// `load_state_dict(strict=True)` accept.
///
/// The file appears under its name when it is complete and on disk; whatever fails, an earlier file of that
/// name is unharmed.
///
/// Every name gets its own values: tied weights are written once per name. PyTorch's own `state_dict()` has
/// both names, so a file with one of them would not load with `strict=True`; the price is the tied tensor's
/// size.
///
/// `metadata` becomes the header's text pairs; `format = "pt"`, which transformers asks for, is added.
///
/// # Errors
/// The directory cannot be written, the disk is full, a name occurs twice, a tensor's type is none of the
/// format, or `module` names nothing.
pub fn write_safetensors(
    path: &Path,
    tensors: &[(String, Tensor)],
    metadata: &BTreeMap<String, String>,
    options: &WriteOptions,
) -> Result<Written, WeightsError> {
    let failed = |source: io::Error| WeightsError::Write { path: path.to_owned(), source };
    let pieces = pieces(path, tensors, options)?;
    let header = header(&pieces.iter().map(Piece::entry).collect::<Vec<_>>(), metadata);

    let mut file = durable::temporary(0o666)
        .prefix(".weights-")
        .tempfile_in(durable::folder_of(path))
        .map_err(failed)?;
    let mut writer = Sha256Writer::new(BufWriter::with_capacity(1 << 20, file.as_file_mut()));
    writer.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
    writer.write_all(&header).map_err(failed)?;
    for piece in &pieces {
        writer.write_all(&piece.bytes(path)?).map_err(failed)?;
    }
    let (bytes, sha256) = writer.finish().map_err(failed)?;
    durable::persist(file, path).map_err(failed)?;
    Ok(Written { bytes, sha256, tensors: pieces.len() })
}

/// A tensor as it will be written.
struct Piece<'t> {
    name: &'t str,
    tensor: &'t Tensor,
    kind: Kind,
    dtype: Dtype,
    length: usize,
}

/// What is written, in the order of the file: larger elements first, so that all are aligned, else as given.
fn pieces<'t>(
    path: &Path,
    tensors: &'t [(String, Tensor)],
    options: &WriteOptions,
) -> Result<Vec<Piece<'t>>, WeightsError> {
    let unwritable = |reason: String| WeightsError::Unwritable { path: path.to_owned(), reason };
    let mut pieces = Vec::new();
    let mut names = HashSet::new();
    for (name, tensor) in tensors {
        let name = match options.module.as_deref() {
            None | Some("") => name.as_str(),
            Some(module) if !below(name, module) => continue,
            Some(_) if options.keep_prefix => name,
            Some(module) => &name[module.len() + 1..],
        };
        if !names.insert(name) {
            return Err(unwritable(format!("two tensors have the name '{name}'")));
        }
        let own = tensor.kind();
        let kind = options.kind.filter(|_| is_float(own)).unwrap_or(own);
        let dtype = dtype(kind).ok_or_else(|| {
            unwritable(format!("tensor '{name}' is of type {kind:?}, which the format does not have"))
        })?;
        let length = tensor.numel() * kind.elt_size_in_bytes();
        pieces.push(Piece { name, tensor, kind, dtype, length });
    }
    if pieces.is_empty() {
        let what = options.module.as_ref().map_or("no tensors were given".to_owned(), |module| {
            format!("the model has nothing in the module '{module}'")
        });
        return Err(unwritable(what));
    }
    pieces.sort_by_key(|piece| std::cmp::Reverse(piece.kind.elt_size_in_bytes()));
    Ok(pieces)
}

impl<'t> Piece<'t> {
    fn entry(&self) -> Entry<'t> {
        let shape = self.tensor.size();
        Entry { name: self.name, dtype: self.dtype, shape, length: self.length }
    }

    /// The values, row-major.
    fn bytes(&self, path: &Path) -> Result<Vec<u8>, WeightsError> {
        let copied = || {
            let _no_grad = tch::no_grad_guard();
            let tensor = self.tensor.f_to_device(Device::Cpu)?.f_to_kind(self.kind)?.f_contiguous()?;
            let mut bytes = vec![0; self.length];
            tensor.f_copy_data_u8(&mut bytes, tensor.numel())?;
            Ok(bytes)
        };
        copied().map_err(|error: tch::TchError| WeightsError::Tensor {
            path: path.to_owned(),
            tensor: self.name.to_owned(),
            reason: error.to_string().lines().next().unwrap_or_default().to_owned(),
        })
    }
}

/// A tensor as the header has it.
pub(super) struct Entry<'n> {
    pub(super) name: &'n str,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<i64>,
    /// Bytes of its values.
    pub(super) length: usize,
}

/// The header of a file of these tensors, in their order.
pub(super) fn header(entries: &[Entry], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut texts = Map::new();
    texts.insert("format".to_owned(), Value::from("pt"));
    texts.extend(metadata.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))));
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), Value::Object(texts));
    let mut start = 0;
    for entry in entries {
        let end = start + entry.length;
        let info = json!({ "dtype": entry.dtype, "shape": entry.shape, "data_offsets": [start, end] });
        header.insert(entry.name.to_owned(), info);
        start = end;
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    // The values begin at a multiple of 8.
    text.resize(text.len().next_multiple_of(8), b' ');
    text
}

fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double)
}

/// The format's name of a type, where it has one.
pub(super) fn dtype(kind: Kind) -> Option<Dtype> {
    Some(match kind {
        Kind::Bool => Dtype::BOOL,
        Kind::Uint8 => Dtype::U8,
        Kind::Int8 => Dtype::I8,
        Kind::Int16 => Dtype::I16,
        Kind::Int => Dtype::I32,
        Kind::Int64 => Dtype::I64,
        Kind::Half => Dtype::F16,
        Kind::BFloat16 => Dtype::BF16,
        Kind::Float => Dtype::F32,
        Kind::Double => Dtype::F64,
        _ => return None,
    })
}
