//! `kind = "csv"`: `metrics.csv`, as Lightning's `CSVLogger` writes it.
//!
//! A row for every record, with its `epoch` and `step`; columns in alphabetical order. A value that a record
//! does not have is empty. When a metric comes for the first time, the file is written anew with a further
//! column, and appears whole.

mod number;
mod table;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::config::CsvConfig;
use crate::error::io;
use crate::{Begin, Ending, Entry, Logger, LoggerError, Run};
use number::python;
use table::Table;

/// Name of the file, as Lightning's.
const FILE: &str = "metrics.csv";
/// Columns of every row.
const EPOCH: &str = "epoch";
const STEP: &str = "step";
/// Rows are written when so many wait, and at the end of each epoch.
const WAITING: usize = 64;

/// Values of a row by their columns.
type Row = BTreeMap<String, String>;

/// Writes `metrics.csv`.
pub(crate) struct CsvLogger {
    path: PathBuf,
    /// Columns that the file has, in order.
    columns: Vec<String>,
    /// Rows that the file has.
    rows: usize,
    /// Rows that are not in the file yet.
    waiting: Vec<Row>,
    /// What is to be told.
    warnings: Vec<String>,
}

impl CsvLogger {
    /// Begins a file, or goes on with the rows that a checkpoint counts.
    pub(crate) fn open(config: &CsvConfig, run: &Run<'_>, begin: &Begin) -> Result<Self, LoggerError> {
        let folder = config.path.as_deref().unwrap_or(run.folder);
        fs::create_dir_all(folder).map_err(io(folder))?;
        let path = std::path::absolute(folder).map_err(io(folder))?.join(FILE);
        let mut logger =
            Self { path, columns: Vec::new(), rows: 0, waiting: Vec::new(), warnings: Vec::new() };
        match begin {
            Begin::New if logger.path.exists() => return Err(LoggerError::Exists { path: logger.path }),
            Begin::Resumed { step, kept } if logger.path.exists() => logger.go_back(*step, kept)?,
            Begin::New | Begin::Resumed { .. } => {}
        }
        Ok(logger)
    }

    /// Takes off the rows that came after the checkpoint: all beyond those that it counts; where it counts
    /// none, those of later steps.
    fn go_back(&mut self, step: usize, kept: &Value) -> Result<(), LoggerError> {
        let mut table = Table::read(&self.path)?;
        let before = table.rows.len();
        match kept.as_u64().and_then(|rows| usize::try_from(rows).ok()) {
            Some(rows) => {
                if before < rows {
                    let path = self.path.display();
                    let lacks =
                        format!("{path}: {before} rows of {rows} from before the checkpoint are there");
                    self.warnings.push(lacks);
                }
                table.rows.truncate(rows);
            }
            None => {
                let steps = table.columns.iter().position(|column| column == STEP);
                table.rows.retain(|row| {
                    let of_row = steps.and_then(|index| row.get(index)?.parse::<usize>().ok());
                    of_row.is_none_or(|of_row| of_row <= step)
                });
            }
        }
        // Also where nothing is taken off: a killed process may have left half a row.
        table.write(&self.path)?;
        (self.columns, self.rows) = (table.columns, table.rows.len());
        Ok(())
    }

    /// Writes the rows that wait, behind the others, or everything anew where they bring columns.
    fn write(&mut self) -> Result<(), LoggerError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut columns = self.columns.clone();
        columns.extend(self.waiting.iter().flat_map(BTreeMap::keys).cloned());
        columns.sort_unstable();
        columns.dedup();
        if columns == self.columns {
            let text = Table::text(&self.path, None, self.cells(&columns))?;
            let file = OpenOptions::new().append(true).open(&self.path);
            file.and_then(|mut file| file.write_all(&text)).map_err(io(&self.path))?;
        } else {
            let mut table = if self.columns.is_empty() {
                Table { columns: columns.clone(), rows: Vec::new() }
            } else {
                Table::read(&self.path)?.with_columns(columns.clone())
            };
            table.rows.extend(self.cells(&columns));
            table.write(&self.path)?;
        }
        self.columns = columns;
        self.rows += self.waiting.len();
        self.waiting.clear();
        Ok(())
    }

    /// The rows that wait, cell by cell.
    fn cells(&self, columns: &[String]) -> Vec<Vec<String>> {
        let cell = |row: &Row, column: &String| row.get(column).cloned().unwrap_or_default();
        let cells = |row: &Row| columns.iter().map(|column| cell(row, column)).collect();
        self.waiting.iter().map(cells).collect()
    }
}

impl Logger for CsvLogger {
    fn log(&mut self, entry: &Entry<'_>) -> Result<(), LoggerError> {
        let values = entry.values.iter().map(|(name, value)| (name.clone(), python(*value)));
        let mut row: Row = values.collect();
        // A metric that a hook logs under this name takes its place, as in the run's own records.
        row.entry(EPOCH.to_owned()).or_insert_with(|| entry.epoch.to_string());
        row.insert(STEP.to_owned(), entry.step.to_string());
        self.waiting.push(row);
        if self.waiting.len() >= WAITING { self.write() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), LoggerError> {
        self.write()
    }

    fn save(&mut self) -> Result<Value, LoggerError> {
        self.write()?;
        if self.rows > 0 {
            let file = OpenOptions::new().append(true).open(&self.path);
            file.and_then(|file| file.sync_data()).map_err(io(&self.path))?;
        }
        Ok(json!(self.rows))
    }

    fn warnings(&mut self) -> Vec<String> {
        std::mem::take(&mut self.warnings)
    }

    fn end(&mut self, _: Ending, _: OffsetDateTime) -> Result<(), LoggerError> {
        self.write()
    }
}

#[cfg(test)]
mod tests;
