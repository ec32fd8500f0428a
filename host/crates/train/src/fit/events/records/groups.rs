//! `groups.jsonl`.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::of_events::{EventRecords, Record};
use super::{RecordsError, stamped};
use crate::fit::events::{BatchNormState, Event, EventKind};
use crate::run_dir::GROUPS;

impl EventRecords {
    /// A record for every [`EventKind::GroupsChanged`].
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn groups(run_dir: &Path) -> Result<Self, RecordsError> {
        Self::open("groups", run_dir, GROUPS, record)
    }
}

fn record(event: &Event<'_>) -> Record {
    let EventKind::GroupsChanged(groups) = &event.kind else { return Ok(None) };
    let modes = |norm: BatchNormState| {
        let modes = json!({
            "training": norm.training,
            "track_running_stats": norm.track_running_stats,
            "num_batches_tracked": norm.num_batches_tracked,
        });
        (norm.module, modes)
    };
    let batch_norm: Map<String, Value> = groups.batch_norms()?.into_iter().map(modes).collect();
    let mut record = stamped(event);
    record.insert("optimizer".to_owned(), json!(groups.optimizer));
    record.insert("groups".to_owned(), json!(groups.groups));
    record.insert("trainable".to_owned(), json!(groups.tree.trainable()));
    record.insert("batch_norm".to_owned(), Value::Object(batch_norm));
    Ok(Some(record))
}
