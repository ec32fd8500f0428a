//! `metrics.jsonl`.

use std::path::Path;

use serde_json::{Value, json};

use super::file::RecordFile;
use super::{RecordsError, stamped};
use crate::fit::events::{Event, EventKind, Observer, ObserverError};
use crate::run_dir::METRICS;

/// Writes a record for every [`EventKind::Logged`].
pub struct MetricsRecords(RecordFile);

impl MetricsRecords {
    /// Opens the file in a run directory, to go on at its end.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run_dir: &Path) -> Result<Self, RecordsError> {
        Ok(Self(RecordFile::open(run_dir.join(METRICS))?))
    }
}

impl Observer for MetricsRecords {
    fn name(&self) -> &str {
        "metrics"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event.kind {
            EventKind::Resumed { .. } => self.0.go_back(),
            EventKind::Logged(metrics) => {
                let mut record = stamped(event);
                if let Some(batch) = metrics.batch {
                    record.insert("batch".to_owned(), json!(batch));
                }
                for (name, value) in &metrics.values {
                    // NaN and infinities are null: JSON has none.
                    record.insert(name.clone(), json!(value));
                }
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
