//! Weights, buffers and constants of the file. What it says of shapes and places is not trusted.

use std::collections::HashMap;

use serde_json::Value;
use tch::{Kind, Tensor};

use crate::archive::Archive;
use crate::error::Fault;
use crate::json::{Payload, Payloads, Size, TensorMeta};

/// A tensor of the file.
pub struct Stored {
    /// Its name in the state dict; of constants the file's own.
    pub name: String,
    /// Whether it is a parameter.
    pub is_parameter: bool,
    /// Whether it had gradients when it was exported.
    pub requires_grad: bool,
    /// Two names of one tensor share one object, as tied parameters do.
    pub tensor: Tensor,
}

/// The folders of tensors, and their lists.
#[derive(Clone, Copy)]
pub enum Folder {
    /// Parameters and persistent buffers.
    Weights,
    /// Other buffers, and tensors of the code.
    Constants,
}

impl Folder {
    fn name(self) -> &'static str {
        match self {
            Self::Weights => "weights",
            Self::Constants => "constants",
        }
    }
}

/// Reads all tensors of a folder for one program, in the file's order. A file without the list has none.
///
/// # Errors
/// A list or tensor that is missing, changed, pickled, or reaches beyond its bytes.
pub fn read(archive: &mut Archive, folder: Folder, program: &str) -> Result<Vec<Stored>, Fault> {
    let folder = folder.name();
    let list = format!("data/{folder}/{program}_{folder}_config.json");
    if archive.size(&list).is_none() {
        return Ok(Vec::new());
    }
    let text = archive.text(&list)?;
    let payloads: Payloads = serde_json::from_slice(&text).map_err(|error| Fault::entry(&list, error))?;
    let mut reader = Reader { archive, folder, storages: HashMap::new(), made: HashMap::new() };
    payloads.config.into_iter().map(|(name, payload)| reader.stored(name, payload)).collect()
}

/// What makes two names one tensor: file, offset, sizes, strides.
type Identity = (String, i64, Vec<i64>, Vec<i64>);

struct Reader<'a> {
    archive: &'a mut Archive,
    folder: &'static str,
    storages: HashMap<String, Vec<u8>>,
    made: HashMap<Identity, Tensor>,
}

impl Reader<'_> {
    fn stored(&mut self, name: String, payload: Value) -> Result<Stored, Fault> {
        let payload: Payload =
            serde_json::from_value(payload).map_err(|error| Fault::tensor(&name, error))?;
        if payload.use_pickle {
            return Err(Fault::tensor(
                &name,
                "it is pickled, and pickles are not read: it is no plain tensor",
            ));
        }
        let meta =
            payload.tensor_meta.as_ref().ok_or_else(|| Fault::tensor(&name, "its shape is not given"))?;
        let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if payload.path_name.is_empty() || !payload.path_name.chars().all(is_plain) {
            let path = payload.path_name.escape_debug();
            return Err(Fault::tensor(
                &name,
                format_args!("its bytes are in `{path}`, expected a plain name"),
            ));
        }
        let view = View::checked(meta).map_err(|reason| Fault::tensor(&name, reason))?;
        let tensor = self.tensor(&name, payload.path_name, &view)?;
        let requires_grad = meta.requires_grad;
        Ok(Stored { name, is_parameter: payload.is_param, requires_grad, tensor })
    }

    fn tensor(&mut self, name: &str, file: String, view: &View) -> Result<Tensor, Fault> {
        let identity = (file.clone(), view.offset, view.sizes.clone(), view.strides.clone());
        if let Some(made) = self.made.get(&identity) {
            return Ok(made.shallow_clone());
        }
        let entry = format!("data/{}/{file}", self.folder);
        if !self.storages.contains_key(&file) {
            let bytes = self.archive.read(&entry, u64::MAX - 1)?;
            self.storages.insert(file.clone(), bytes);
        }
        let bytes = &self.storages[&file];
        let size = view.kind.elt_size_in_bytes() as u64;
        if view.end.checked_mul(size).is_none_or(|end| end > bytes.len() as u64) {
            let needs = format!("{} elements of {size} bytes", view.end);
            let reason = format!("it needs {needs}, {entry} has {} bytes", bytes.len());
            return Err(Fault::tensor(name, reason));
        }
        let made = view.of(bytes).map_err(|error| Fault::tensor(name, error))?;
        self.made.insert(identity, made.shallow_clone());
        Ok(made)
    }
}

/// So many elements may be shown of fewer that are there.
const MOST_SHOWN: u64 = 1 << 24;

/// A tensor's place in its storage, checked.
struct View {
    kind: Kind,
    sizes: Vec<i64>,
    strides: Vec<i64>,
    offset: i64,
    /// Elements of the storage up to its last one.
    end: u64,
}

impl View {
    fn checked(meta: &TensorMeta) -> Result<Self, String> {
        let kind = kind(meta.dtype).ok_or_else(|| format!("its type {} is not known here", meta.dtype))?;
        if meta.layout.is_some_and(|layout| layout != STRIDED) {
            return Err("it is sparse, expected a dense tensor".to_owned());
        }
        let numbers = |sizes: &[Size]| {
            let number = |size: &Size| size.as_int.filter(|size| *size >= 0);
            sizes.iter().map(number).collect::<Option<Vec<i64>>>()
        };
        let negative = || "its sizes, strides or offset are not whole numbers from 0".to_owned();
        let sizes = numbers(&meta.sizes).ok_or_else(negative)?;
        let strides = numbers(&meta.strides).ok_or_else(negative)?;
        let offset =
            meta.storage_offset.as_ref().map_or(Some(0), |size| size.as_int.filter(|size| *size >= 0));
        let offset = offset.ok_or_else(negative)?;
        if sizes.len() != strides.len() {
            return Err(format!("it has {} sizes and {} strides", sizes.len(), strides.len()));
        }
        let too_large = || "its size is too large for any memory".to_owned();
        let elements = sizes.iter().try_fold(1_i64, |product, size| product.checked_mul(*size));
        let elements = elements.ok_or_else(too_large)?;
        let last = sizes.iter().zip(&strides).try_fold(offset, |last, (size, stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(*stride)?)
        });
        let end = if elements == 0 { 0 } else { last.ok_or_else(too_large)? as u64 + 1 };
        // An expanded tensor shows one element often; more of that than a table of positions is no weight.
        if elements as u64 > end.max(MOST_SHOWN) {
            return Err(format!("it shows {elements} elements of a storage that ends at {end}"));
        }
        Ok(Self { kind, sizes, strides, offset, end })
    }

    /// A tensor of its own memory: only what it shows of the storage, with the strides that it has there.
    fn of(&self, bytes: &[u8]) -> Result<Tensor, tch::TchError> {
        let length = self.end as usize;
        let used = &bytes[..length * self.kind.elt_size_in_bytes()];
        if self.end == 0 {
            return Tensor::f_zeros(self.sizes.as_slice(), (self.kind, tch::Device::Cpu));
        }
        let storage = Tensor::f_from_data_size(used, &[length as i64], self.kind)?;
        let view = storage.f_as_strided(self.sizes.as_slice(), self.strides.as_slice(), self.offset)?;
        // Strides stay as they are where no element is shown twice.
        let mut own = view.f_empty_like()?;
        tch::no_grad(|| own.f_copy_(&view))?;
        Ok(own)
    }
}

/// `torch.strided` in the file's numbers.
pub const STRIDED: i64 = 7;

/// The file's numbers of scalar types are not those of libtorch.
pub fn kind(dtype: i64) -> Option<Kind> {
    Some(match dtype {
        1 => Kind::Uint8,
        2 => Kind::Int8,
        3 => Kind::Int16,
        4 => Kind::Int,
        5 => Kind::Int64,
        6 => Kind::Half,
        7 => Kind::Float,
        8 => Kind::Double,
        12 => Kind::Bool,
        13 => Kind::BFloat16,
        _ => return None,
    })
}
