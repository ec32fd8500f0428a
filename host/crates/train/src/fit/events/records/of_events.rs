//! An observer that writes a record for some of the events.

use std::path::Path;

use serde_json::{Map, Value};

use super::RecordsError;
use super::file::RecordFile;
use crate::fit::events::{Event, EventKind, Observer, ObserverError};

/// What an event is in the records; None where it has none.
pub(super) type Record = Result<Option<Map<String, Value>>, ObserverError>;

/// Writes records of one kind into a file of the run directory, which is cut where a checkpoint goes on.
pub struct EventRecords {
    name: &'static str,
    file: RecordFile,
    record: fn(&Event<'_>) -> Record,
}

impl EventRecords {
    /// Opens a file in a run directory, to go on at its end.
    ///
    /// # Errors
    /// It cannot be opened.
    pub(super) fn open(
        name: &'static str,
        run_dir: &Path,
        file: &str,
        record: fn(&Event<'_>) -> Record,
    ) -> Result<Self, RecordsError> {
        Ok(Self { name, file: RecordFile::open(run_dir.join(file))?, record })
    }
}

impl Observer for EventRecords {
    fn name(&self) -> &str {
        self.name
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        match event.kind {
            EventKind::Resumed { .. } => return self.file.go_back(),
            EventKind::EpochEnded { .. } | EventKind::RunEnded(_) => return self.file.flush(),
            _ => {}
        }
        match (self.record)(event)? {
            Some(record) => self.file.append(record),
            None => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<(), ObserverError> {
        self.file.flush()
    }

    fn save(&mut self) -> Result<Value, ObserverError> {
        self.file.save()
    }

    fn resume(&mut self, saved: &Value) -> Result<(), ObserverError> {
        self.file.resume(saved)
    }
}
