//! Records of a run directory: JSON, an object a line.
//!
//! Each has, after the epoch and the step, the time of day and the seconds since the run was started
//! ([`Event::seconds`]). A metric that a hook logs under one of these two names takes its place.

mod confusion;
mod file;
mod groups;
mod history;
mod metrics;
mod of_events;
mod samples;

pub use history::HistoryRecords;
pub use of_events::EventRecords;
pub use samples::SampleRecords;
use serde_json::{Map, Value, json};
use time::macros::format_description;

use super::{Event, ObserverError};
pub use crate::error::RecordsError;

impl RecordsError {
    /// The record of a run is part of what it is resumed from.
    fn ends_run(self) -> ObserverError {
        ObserverError::EndsRun(self.into())
    }
}

/// What every record begins with.
fn stamped(event: &Event<'_>) -> Map<String, Value> {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    let milliseconds = (event.seconds * 1000.0).round();
    let mut record = Map::new();
    record.insert("epoch".to_owned(), json!(event.progress.epoch));
    record.insert("step".to_owned(), json!(event.progress.global_step));
    record.insert("time".to_owned(), json!(event.time.format(format).ok()));
    record.insert("seconds".to_owned(), json!(milliseconds / 1000.0));
    record
}
