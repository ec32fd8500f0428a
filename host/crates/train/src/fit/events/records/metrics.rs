//! `metrics.jsonl`.

use std::path::Path;

use serde_json::json;

use super::of_events::{EventRecords, Record};
use super::{RecordsError, stamped};
use crate::fit::events::{Event, EventKind};
use crate::run_dir::METRICS;

impl EventRecords {
    /// A record for every [`EventKind::Logged`].
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn metrics(run_dir: &Path) -> Result<Self, RecordsError> {
        Self::open("metrics", run_dir, METRICS, record)
    }
}

fn record(event: &Event<'_>) -> Record {
    let EventKind::Logged(metrics) = event.kind else { return Ok(None) };
    let mut record = stamped(event);
    if let Some(batch) = metrics.batch {
        record.insert("batch".to_owned(), json!(batch));
    }
    for (name, value) in &metrics.values {
        // NaN and infinities are null: JSON has none.
        record.insert(name.clone(), json!(value));
    }
    Ok(Some(record))
}
