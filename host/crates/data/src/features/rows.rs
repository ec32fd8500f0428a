//! Rows of bytes, in memory or in a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use thaw_files::mapped::MappedFile;

use super::FeatureRoom;
use crate::DataError;

/// Rows of equal width, by number.
pub(super) struct Rows {
    width: usize,
    place: Place,
}

enum Place {
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
    File { file: BufWriter<File>, folder: PathBuf },
}

impl Rows {
    pub(super) fn row(&self, index: usize) -> &[u8] {
        &self.bytes()[index * self.width..(index + 1) * self.width]
    }

    pub(super) fn len(&self) -> usize {
        self.bytes().len()
    }

    pub(super) fn is_on_disk(&self) -> bool {
        matches!(self.place, Place::File(_))
    }

    fn bytes(&self) -> &[u8] {
        match &self.place {
            Place::Memory(bytes) => bytes,
            Place::File(file) => file,
        }
    }
}

impl RowsWriter {
    /// So many rows of so many bytes. What memory has no room for lies in a file that has no name: it is gone
    /// with the process, however that ends, and nobody can shorten it.
    pub(super) fn new(width: usize, rows: usize, room: &FeatureRoom) -> Result<RowsWriter, DataError> {
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
        let file = std::fs::create_dir_all(&folder).and_then(|()| tempfile::tempfile_in(&folder));
        let file = file.map_err(write_error(&folder))?;
        Ok(RowsWriter { width, to: To::File { file: BufWriter::with_capacity(1 << 20, file), folder } })
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
            To::File { file, folder } => file.write_all(bytes).map_err(write_error(folder))?,
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Rows, DataError> {
        let place = match self.to {
            To::Memory(memory) => Place::Memory(memory),
            To::File { file, folder } => {
                let file = file.into_inner().map_err(|error| write_error(&folder)(error.into_error()))?;
                Place::File(MappedFile::of(&file, &folder).map_err(write_error(&folder))?)
            }
        };
        Ok(Rows { width: self.width, place })
    }
}

fn write_error(folder: &Path) -> impl FnOnce(std::io::Error) -> DataError {
    let folder = folder.to_path_buf();
    move |source| DataError::FeatureFile { folder, source }
}
