//! A file of rows, CSV or JSON lines, which appears when it is complete.

use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::NamedTempFile;

use super::PredictError;
use super::file::Format;
use thaw_files::durable;

/// A file that is being written under a temporary name beside its own.
pub struct RowFile {
    /// For messages.
    path: PathBuf,
    /// The same, absolute: a plugin may change the working directory until the end.
    place: PathBuf,
    sink: Sink,
}

enum Sink {
    Csv(Box<csv::Writer<NamedTempFile>>),
    Jsonl(BufWriter<NamedTempFile>),
}

impl RowFile {
    /// Begins a file; its ending says the format.
    ///
    /// # Errors
    /// The ending, or a folder that cannot be written.
    pub fn create(path: &Path) -> Result<Self, PredictError> {
        let format = Format::of(path)?;
        let place = std::path::absolute(path).map_err(|error| failed(path, &error))?;
        let file = durable::beside(&place).map_err(|error| failed(path, &error))?;
        let sink = match format {
            Format::Csv => Sink::Csv(Box::new(csv::Writer::from_writer(file))),
            Format::Jsonl => Sink::Jsonl(BufWriter::new(file)),
        };
        Ok(Self { path: path.to_path_buf(), place, sink })
    }

    /// Writes the names of columns, where the format has a line for them.
    ///
    /// # Errors
    /// The disk is full.
    pub fn header(&mut self, names: impl FnOnce() -> Vec<String>) -> Result<(), PredictError> {
        let Sink::Csv(writer) = &mut self.sink else { return Ok(()) };
        writer.write_record(names()).map_err(|error| failed(&self.path, &error))
    }

    /// Writes a row: the fields of a line, or an object.
    ///
    /// # Errors
    /// The disk is full.
    pub fn row(
        &mut self,
        fields: impl FnOnce() -> Vec<String>,
        object: impl FnOnce() -> Value,
    ) -> Result<(), PredictError> {
        let written = match &mut self.sink {
            Sink::Csv(writer) => writer.write_record(fields()).map_err(|error| error.to_string()),
            Sink::Jsonl(writer) => writeln!(writer, "{}", object()).map_err(|error| error.to_string()),
        };
        written.map_err(|error| failed(&self.path, &error))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// The disk is full; an earlier file of that name is as it was.
    pub fn finish(self) -> Result<(), PredictError> {
        let Self { path, place, sink } = self;
        let file = match sink {
            Sink::Csv(writer) => writer.into_inner().map_err(|error| failed(&path, &error))?,
            Sink::Jsonl(writer) => writer.into_inner().map_err(|error| failed(&path, &error))?,
        };
        durable::persist(file, &place).map_err(|error| failed(&path, &error))
    }
}

fn failed(path: &Path, reason: &impl ToString) -> PredictError {
    PredictError::Write { path: path.to_path_buf(), reason: reason.to_string() }
}
