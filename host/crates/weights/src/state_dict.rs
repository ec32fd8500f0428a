//! Names and tensors of a file, the values still in it.

use super::error::WeightsError;
use super::pickle::ZipChecksums;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tch::{Device, Kind, Tensor};
use thaw_files::mapped::MappedFile;

/// The tensors of a file by name, in the file's order, and what the file says besides.
///
/// Nothing but names, shapes and types is read until a tensor is asked for. The file must not change
/// meanwhile.
#[derive(Debug)]
pub struct StateDict {
    path: PathBuf,
    /// The state dict's, then those of the file's other dicts.
    all: Vec<Entry>,
    /// How many of `all` are the state dict's.
    own: usize,
    part: String,
    index: HashMap<String, usize>,
    metadata: BTreeMap<String, String>,
    data: Value,
}

impl StateDict {
    /// Entries with distinct names.
    pub(super) fn new(path: &Path, entries: Vec<Entry>) -> Self {
        let index = entries.iter().enumerate().map(|(at, entry)| (entry.name.clone(), at)).collect();
        let own = entries.len();
        Self {
            path: path.to_owned(),
            all: entries,
            own,
            part: String::new(),
            index,
            metadata: BTreeMap::new(),
            data: Value::Null,
        }
    }

    /// As a dict of the file under the key `part`, with the tensors of the others `beside` it.
    pub(super) fn with_beside(mut self, part: &str, beside: Vec<Entry>) -> Self {
        self.part = part.to_owned();
        self.all.extend(beside);
        self
    }

    /// With the text pairs of a .safetensors header.
    pub(super) fn with_metadata(mut self, metadata: BTreeMap<String, String>) -> Self {
        self.metadata = metadata;
        self
    }

    /// With what a pickle holds beside its state dict.
    pub(super) fn with_data(mut self, data: Value) -> Self {
        self.data = data;
        self
    }

    /// The file the tensors were found in; of shards, the index.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The tensors, in the file's order: that of a state dict as saved, that of the data in a .safetensors
    /// file.
    pub fn entries(&self) -> &[Entry] {
        &self.all[..self.own]
    }

    pub(super) fn into_entries(mut self) -> Vec<Entry> {
        self.all.truncate(self.own);
        self.all
    }

    /// The key in the file under which these tensors lie, as `state_dict`; empty where they are the file.
    pub fn part(&self) -> &str {
        &self.part
    }

    /// The tensors that the file has besides, under their whole names: `ema.conv.weight`.
    pub fn beside(&self) -> &[Entry] {
        &self.all[self.own..]
    }

    /// [`Self::entries`], then [`Self::beside`].
    pub(super) fn all(&self) -> &[Entry] {
        &self.all
    }

    /// The names, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries().iter().map(Entry::name)
    }

    /// The tensor of this name, its values not read yet.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.index.get(name).map(|&at| &self.all[at])
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.own
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.own == 0
    }

    /// The text pairs of a .safetensors header; empty for other formats.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// What a pickle holds beside its state dict, as JSON: of a Lightning checkpoint `epoch`, `global_step`,
    /// `callbacks`, `lr_schedulers`, `hyper_parameters`, …. Keys are sorted, tuples and sets are arrays, and
    /// what JSON cannot hold is its Python type's name in angle brackets. Null for other formats.
    pub fn data(&self) -> &Value {
        &self.data
    }

    /// The hyperparameters the model was built with, as Lightning's `save_hyperparameters` or Thaw stored
    /// them.
    ///
    /// `None` if the file holds none.
    pub fn hyper_parameters(&self) -> Option<Value> {
        // Lightning before 1.0 called them `hparams`.
        let pickled =
            [super::HYPER_PARAMETERS, "hparams"].into_iter().find_map(|key| self.data.get(key).cloned());
        pickled.or_else(|| serde_json::from_str(self.metadata.get(super::HYPER_PARAMETERS)?).ok())
    }

    /// Reads every value, so that damage anywhere in the file is found.
    pub fn verify(&self) -> Result<(), WeightsError> {
        self.entries().iter().try_for_each(|entry| entry.bytes().map(drop))
    }
}

/// A tensor in a file: its name, shape and type, and where its values are.
pub struct Entry {
    name: String,
    shape: Vec<i64>,
    kind: Kind,
    path: Arc<Path>,
    values: Values,
    widen: Option<Widen>,
}

/// Where values are.
pub(super) enum Values {
    /// In a mapped file, row-major, the values of the length of the shape.
    Mapped(Arc<MappedFile>, Range<usize>),
    /// In a pickle's storage, which may hold more and in another order. The keys are those of the storages
    /// that tensors of its name have: several where dicts repeat the name.
    Pickled { tensor: pytorch_reader::Tensor, storages: Vec<String>, checksums: Option<Arc<ZipChecksums>> },
}

/// An element type of a file that tch does not know, to be read as the next wider one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Widen {
    U16,
    U32,
    U64,
}

impl Entry {
    pub(super) fn new(
        path: &Arc<Path>,
        name: String,
        shape: &[usize],
        (kind, widen): (Kind, Option<Widen>),
        values: Values,
    ) -> Self {
        // Each dimension was checked against a file's length, which fits.
        let shape = shape.iter().map(|&size| size as i64).collect();
        Self { name, shape, kind, path: path.clone(), values, widen }
    }

    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its sizes, outermost first; empty for a scalar.
    pub fn shape(&self) -> &[i64] {
        &self.shape
    }

    /// Its element type. uint16 is read as int32, uint32 and uint64 as int64.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The tensor on the CPU, contiguous, with memory of its own.
    pub fn tensor(&self) -> Result<Tensor, WeightsError> {
        let bytes = self.bytes()?;
        Tensor::f_from_data_size(&bytes, &self.shape, self.kind).map_err(|error| self.fault(&error))
    }

    /// Runs `with` on the tensor on the CPU, which for a mapped file is the file's memory: `with` must not
    /// write to it nor keep it.
    pub(super) fn with_tensor<T>(
        &self,
        with: impl FnOnce(&Tensor) -> Result<T, tch::TchError>,
    ) -> Result<T, WeightsError> {
        let bytes = self.bytes()?;
        let size = self.kind.elt_size_in_bytes();
        let tensor = if bytes.is_empty() || bytes.as_ptr().align_offset(size) != 0 {
            Tensor::f_from_data_size(&bytes, &self.shape, self.kind)
        } else {
            // SAFETY: the bytes are initialised, aligned and of the shape's length, and outlive the tensor,
            // which is dropped below. Nothing writes to it: `with` is ours and only copies from it.
            unsafe { Tensor::f_from_blob(bytes.as_ptr(), &self.shape, &[], self.kind, Device::Cpu) }
        };
        tensor.and_then(|tensor| with(&tensor)).map_err(|error| self.fault(&error))
    }

    /// The values in row-major order and of type `kind`.
    fn bytes(&self) -> Result<Cow<'_, [u8]>, WeightsError> {
        let bytes = match &self.values {
            Values::Mapped(map, range) => Cow::Borrowed(&map[range.clone()]),
            Values::Pickled { tensor, storages, checksums } => {
                for (storage, checksums) in storages.iter().zip(checksums.iter().cycle()) {
                    checksums.check(storage, tensor.byte_len()).map_err(|reason| self.damaged(reason))?;
                }
                let bytes = tensor.read().map_err(|error| match error.raw_os_error() {
                    Some(_) => WeightsError::Io { path: self.path.to_path_buf(), source: error },
                    None => self.damaged(error.to_string()),
                })?;
                Cow::Owned(bytes)
            }
        };
        if self.kind == Kind::Bool && bytes.iter().any(|&byte| byte > 1) {
            return Err(self.damaged("a bool is neither 0 nor 1".to_owned()));
        }
        match self.widen {
            None => Ok(bytes),
            Some(widen) => widen.apply(&bytes).map(Cow::Owned).map_err(|reason| self.damaged(reason)),
        }
    }

    fn damaged(&self, reason: String) -> WeightsError {
        let named = format!("tensor '{}': ", self.name);
        let reason = reason.strip_prefix(&named).map(str::to_owned).unwrap_or(reason);
        WeightsError::Damaged { path: self.path.to_path_buf(), tensor: Some(self.name.clone()), reason }
    }

    /// An error of libtorch's about this tensor.
    pub(super) fn fault(&self, error: &tch::TchError) -> WeightsError {
        WeightsError::Tensor {
            path: self.path.to_path_buf(),
            tensor: self.name.clone(),
            reason: error.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.name, self.shape, self.kind)
    }
}

impl Widen {
    fn apply(self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            Self::U16 => Ok(convert(bytes, |value| i32::from(u16::from_ne_bytes(value)).to_ne_bytes())),
            Self::U32 => Ok(convert(bytes, |value| i64::from(u32::from_ne_bytes(value)).to_ne_bytes())),
            Self::U64 if bytes.chunks_exact(8).any(|value| value[7] > 127) => {
                Err("a uint64 is too large for the int64 it would be read as".to_owned())
            }
            Self::U64 => Ok(bytes.to_vec()),
        }
    }
}

fn convert<const N: usize, const M: usize>(bytes: &[u8], element: impl Fn([u8; N]) -> [u8; M]) -> Vec<u8> {
    let (elements, _) = bytes.as_chunks::<N>();
    elements.iter().flat_map(|&value| element(value)).collect()
}
