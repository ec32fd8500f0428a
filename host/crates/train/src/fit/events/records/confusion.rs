//! `confusion.jsonl`.

use std::path::Path;

use serde_json::{Value, json};

use super::file::RecordFile;
use super::{RecordsError, stamped};
use crate::fit::events::{Asked, Event, EventKind, Observer, ObserverError};
use crate::run_dir::CONFUSION;

/// Writes a record for every validation of a classification, those of the sanity check left out: `classes`,
/// how many there are, and `counts` of every pair that there is: class, predicted class, samples.
pub struct ConfusionRecords(RecordFile);

impl ConfusionRecords {
    /// Opens the file in a run directory, to go on at its end.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run_dir: &Path) -> Result<Self, RecordsError> {
        Ok(Self(RecordFile::open(run_dir.join(CONFUSION))?))
    }
}

impl Observer for ConfusionRecords {
    fn name(&self) -> &str {
        "confusion"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        match &event.kind {
            EventKind::Resumed { .. } => self.0.go_back(),
            EventKind::Validated(validated)
                if validated.asked != Asked::BySanityCheck && validated.confusion.classes > 0 =>
            {
                let mut record = stamped(event);
                let counts: Vec<_> = validated.confusion.counts().collect();
                record.insert("classes".to_owned(), json!(validated.confusion.classes));
                record.insert("counts".to_owned(), json!(counts));
                self.0.append(record)
            }
            EventKind::EpochEnded { .. } | EventKind::RunEnded(_) => self.0.flush(),
            _ => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), ObserverError> {
        self.0.flush()
    }

    fn save(&mut self) -> Result<Value, ObserverError> {
        self.0.save()
    }

    fn resume(&mut self, saved: &Value) -> Result<(), ObserverError> {
        self.0.resume(saved)
    }
}
