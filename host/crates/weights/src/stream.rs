//! A .safetensors file whose tensors are written piece by piece, in any order.

use super::error::WeightsError;
use super::write::{Entry, dtype, header};
use std::collections::BTreeMap;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use tch::Kind;
use tempfile::NamedTempFile;
use thaw_files::durable;

/// A file in the making: what is not written of a tensor is 0. It appears under its name when it is complete.
pub struct StreamedTensors {
    path: PathBuf,
    file: NamedTempFile,
    /// Where each tensor begins in the file.
    starts: BTreeMap<String, u64>,
}

impl StreamedTensors {
    /// Begins a file of tensors of these names, types and shapes, with zeros.
    ///
    /// # Errors
    /// The folder cannot be written, or a type is none of the format.
    pub fn create(path: &Path, tensors: &[(String, Kind, Vec<i64>)]) -> Result<Self, WeightsError> {
        let failed = |source: io::Error| WeightsError::Write { path: path.to_owned(), source };
        let mut entries = Vec::new();
        for (name, kind, shape) in tensors {
            let dtype = dtype(*kind).ok_or_else(|| WeightsError::Unwritable {
                path: path.to_owned(),
                reason: format!("tensor '{name}' is of type {kind:?}, which the format does not have"),
            })?;
            let elements: i64 = shape.iter().product();
            let length = usize::try_from(elements).unwrap_or_default() * kind.elt_size_in_bytes();
            entries.push(Entry { name, dtype, shape: shape.clone(), length });
        }
        // Larger elements first, so that all are aligned.
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.dtype.bitsize()));
        let header = header(&entries, &BTreeMap::new());
        let mut file = durable::temporary(0o666)
            .prefix(".weights-")
            .tempfile_in(durable::folder_of(path))
            .map_err(failed)?;
        file.write_all(&(header.len() as u64).to_le_bytes()).map_err(failed)?;
        file.write_all(&header).map_err(failed)?;
        let mut end = 8 + header.len() as u64;
        let mut starts = BTreeMap::new();
        for entry in &entries {
            starts.insert(entry.name.to_owned(), end);
            end += entry.length as u64;
        }
        file.as_file().set_len(end).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, starts })
    }

    /// Writes a part of a tensor, so many bytes from its beginning; of a tensor that the file does not have,
    /// nothing.
    ///
    /// # Errors
    /// The disk is full.
    pub fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), WeightsError> {
        let Some(start) = self.starts.get(name) else { return Ok(()) };
        let file = self.file.as_file_mut();
        let written = file.seek(SeekFrom::Start(start + offset)).and_then(|_| file.write_all(bytes));
        written.map_err(|source| WeightsError::Write { path: self.path.clone(), source })
    }

    /// Gives the file its name, when it is on disk.
    ///
    /// # Errors
    /// The disk is full; an earlier file of that name is as it was.
    pub fn finish(self) -> Result<(), WeightsError> {
        let Self { path, file, .. } = self;
        durable::persist(file, &path).map_err(|source| WeightsError::Write { path, source })
    }
}
