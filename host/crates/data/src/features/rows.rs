//! Rows of bytes, in memory or in a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use thaw_files::mapped::MappedFile;

use super::store::Writing;
use super::{FeatureRoom, FeatureStore};
use crate::DataError;

/// Rows of equal width, by number.
pub(super) struct Rows {
    width: usize,
    length: usize,
    place: Place,
}

/// Where rows lie; a file may have more behind them.
pub(super) enum Place {
    Memory(Vec<u8>),
    File(MappedFile),
}

/// Rows that are written one after the other.
pub(super) struct RowsWriter {
    width: usize,
    to: To,
}

enum To {
    Memory(Vec<u8>),
    File { file: BufWriter<File>, folder: PathBuf, writing: Option<Writing> },
}

impl Rows {
    /// The first `length` bytes of a place, as rows of so many bytes.
    pub(super) fn of(place: Place, width: usize, length: usize) -> Rows {
        Rows { width, length, place }
    }

    pub(super) fn row(&self, index: usize) -> &[u8] {
        &self.bytes()[index * self.width..(index + 1) * self.width]
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        let bytes: &[u8] = match &self.place {
            Place::Memory(bytes) => bytes,
            Place::File(file) => file,
        };
        &bytes[..self.length]
    }
}

impl RowsWriter {
    /// So many rows of so many bytes. What memory has no room for lies in a file: one of the store that is to
    /// keep it, else one that has no name, is gone with the process, however that ends, and that nobody can
    /// shorten.
    pub(super) fn new(
        width: usize,
        rows: usize,
        room: &FeatureRoom,
        store: Option<&FeatureStore>,
    ) -> Result<RowsWriter, DataError> {
        let bytes = width as u64 * rows as u64;
        if bytes <= room.memory {
            let mut memory = Vec::new();
            let length = usize::try_from(bytes).unwrap_or(usize::MAX);
            if memory.try_reserve_exact(length).is_ok() {
                return Ok(RowsWriter { width, to: To::Memory(memory) });
            }
        }
        if bytes > room.disk {
            return Err(DataError::FeatureRoom { needed: bytes, memory: room.memory, disk: room.disk });
        }
        let folder = room.folder.clone();
        let opened = match store {
            Some(store) => store.begin(bytes).and_then(|writing| Ok((writing.file()?, Some(writing)))),
            None => std::fs::create_dir_all(&folder)
                .and_then(|()| tempfile::tempfile_in(&folder))
                .map(|file| (file, None)),
        };
        let (file, writing) = opened.map_err(write_error(&folder))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(RowsWriter { width, to: To::File { file, folder, writing } })
    }

    /// The row of a batch at a position: its part of each column.
    pub(super) fn row(&mut self, columns: &[(usize, Vec<u8>)], position: usize) -> Result<(), DataError> {
        columns
            .iter()
            .try_for_each(|(width, bytes)| self.write(&bytes[position * width..(position + 1) * width]))
    }

    /// A row of a sample that cannot be read.
    pub(super) fn skip(&mut self) -> Result<(), DataError> {
        self.write(&vec![0; self.width])
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        match &mut self.to {
            To::Memory(memory) => memory.extend_from_slice(bytes),
            To::File { file, folder, .. } => file.write_all(bytes).map_err(write_error(folder))?,
        }
        Ok(())
    }

    /// The rows, and the file that they lie in where the store is to keep it.
    pub(super) fn finish(self) -> Result<(Rows, Option<Writing>), DataError> {
        let (place, writing) = match self.to {
            To::Memory(memory) => (Place::Memory(memory), None),
            To::File { file, folder, writing } => {
                let file = file.into_inner().map_err(|error| write_error(&folder)(error.into_error()))?;
                (Place::File(MappedFile::of(&file, &folder).map_err(write_error(&folder))?), writing)
            }
        };
        let length = match &place {
            Place::Memory(memory) => memory.len(),
            Place::File(file) => file.len(),
        };
        Ok((Rows { width: self.width, length, place }, writing))
    }
}

fn write_error(folder: &Path) -> impl FnOnce(std::io::Error) -> DataError {
    let folder = folder.to_path_buf();
    move |source| DataError::FeatureFile { folder, source }
}
