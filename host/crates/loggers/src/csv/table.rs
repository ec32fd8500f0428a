//! A CSV file in the dialect of Python's `csv` module: commas, quotes where needed, lines that end with CRLF.

use std::path::Path;

use csv::{ReaderBuilder, Terminator, WriterBuilder};

use crate::LoggerError;
use crate::error::io;
use thaw_files::durable;

/// A whole file.
pub(super) struct Table {
    pub(super) columns: Vec<String>,
    /// Cells in the order of the columns.
    pub(super) rows: Vec<Vec<String>>,
}

impl Table {
    /// Reads a file; a last row that is not complete is left out.
    pub(super) fn read(path: &Path) -> Result<Self, LoggerError> {
        let wrong = |error: &dyn std::fmt::Display| LoggerError::Csv {
            path: path.to_path_buf(),
            reason: error.to_string(),
        };
        let bytes = std::fs::read(path).map_err(io(path))?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let mut reader = ReaderBuilder::new().from_reader(&bytes[..whole]);
        let columns = reader.headers().map_err(|error| wrong(&error))?.iter().map(str::to_owned).collect();
        let mut rows = Vec::new();
        for row in reader.records() {
            rows.push(row.map_err(|error| wrong(&error))?.iter().map(str::to_owned).collect());
        }
        Ok(Self { columns, rows })
    }

    /// The same rows with more columns, in which they have nothing.
    pub(super) fn with_columns(self, columns: Vec<String>) -> Self {
        let places: Vec<Option<usize>> =
            columns.iter().map(|name| self.columns.iter().position(|known| known == name)).collect();
        let cell = |row: &[String], place: Option<usize>| {
            place.and_then(|index| row.get(index)).cloned().unwrap_or_default()
        };
        let moved = |row: &Vec<String>| places.iter().map(|place| cell(row, *place)).collect();
        let rows = self.rows.iter().map(moved).collect();
        Self { columns, rows }
    }

    /// Writes it; it appears whole.
    pub(super) fn write(&self, path: &Path) -> Result<(), LoggerError> {
        let text = Self::text(path, Some(&self.columns), self.rows.iter().cloned())?;
        durable::write(path, &text).map_err(io(path))
    }

    /// Rows as text, under a header where there is one.
    pub(super) fn text(
        path: &Path,
        header: Option<&[String]>,
        rows: impl IntoIterator<Item = Vec<String>>,
    ) -> Result<Vec<u8>, LoggerError> {
        let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(Vec::new());
        let lines = header.map(<[String]>::to_vec).into_iter().chain(rows);
        let written: Result<(), csv::Error> = lines.into_iter().try_for_each(|row| writer.write_record(row));
        written.map_err(|error| io(path)(error.into()))?;
        writer.into_inner().map_err(|error| io(path)(std::io::Error::other(error.to_string())))
    }
}
