//! `groups.jsonl`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::file::RecordFile;
use super::{RecordsError, stamped};
use crate::fit::events::{BatchNormState, Event, EventKind, GroupsChanged, Observer, ObserverError};
use crate::run_dir::GROUPS;

/// Writes a record for every [`EventKind::GroupsChanged`].
pub struct GroupsRecords(RecordFile);

impl GroupsRecords {
    /// Opens the file in a run directory, to go on at its end.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(run_dir: &Path) -> Result<Self, RecordsError> {
        Ok(Self(RecordFile::open(run_dir.join(GROUPS))?))
    }
}

impl Observer for GroupsRecords {
    fn name(&self) -> &str {
        "groups"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        match &event.kind {
            EventKind::Resumed { .. } => self.0.go_back(),
            EventKind::GroupsChanged(groups) => {
                let mut record = stamped(event);
                add(&mut record, groups)?;
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

fn add(record: &mut Map<String, Value>, groups: &GroupsChanged<'_>) -> Result<(), ObserverError> {
    let modes = |norm: BatchNormState| {
        let modes = json!({
            "training": norm.training,
            "track_running_stats": norm.track_running_stats,
            "num_batches_tracked": norm.num_batches_tracked,
        });
        (norm.module, modes)
    };
    let batch_norm: Map<String, Value> = groups.batch_norms()?.into_iter().map(modes).collect();
    record.insert("optimizer".to_owned(), json!(groups.optimizer));
    record.insert("groups".to_owned(), json!(groups.groups));
    record.insert("trainable".to_owned(), json!(groups.tree.trainable()));
    record.insert("batch_norm".to_owned(), Value::Object(batch_norm));
    Ok(())
}
