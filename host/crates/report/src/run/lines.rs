//! Files of records: JSON, an object a line.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::de::DeserializeOwned;
use thaw_train::run_dir::METRICS;

use crate::ReportError;

/// Reads the files of a run directory.
pub(super) struct Lines<'d> {
    run_dir: &'d Path,
    /// What was left out, in words.
    pub(super) notes: Vec<String>,
}

impl<'d> Lines<'d> {
    pub(super) fn of(run_dir: &'d Path) -> Self {
        Self { run_dir, notes: Vec::new() }
    }

    /// The records of a file, none where it is not there. A last line that is not complete is left out: the
    /// run writes it at this moment, or was killed when it did.
    pub(super) fn read<T: DeserializeOwned>(&mut self, name: &str) -> Result<Vec<T>, ReportError> {
        let path = self.run_dir.join(name);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                if name == METRICS {
                    self.notes.push(format!("{name} is not there: the report has no metrics."));
                }
                return Ok(Vec::new());
            }
            text => text.map_err(|source| ReportError::Read { path: path.clone(), source })?,
        };
        let mut records = Vec::new();
        let mut lines = text.split(|byte| *byte == b'\n').enumerate().peekable();
        while let Some((index, line)) = lines.next() {
            let is_cut = lines.peek().is_none();
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(line) {
                Ok(record) => records.push(record),
                Err(_) if is_cut => {
                    self.notes.push(format!("The last record of {name} is not complete: it is left out."));
                }
                Err(error) => {
                    let problem = format!("line {}: {error}", index + 1);
                    return Err(ReportError::Damaged { path, problem, expected: "a record of a run" });
                }
            }
        }
        Ok(records)
    }
}
