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

use std::io;
use std::path::PathBuf;

pub use history::HistoryRecords;
pub use of_events::EventRecords;
use serde_json::{Map, Value, json};
use time::macros::format_description;

use super::{Event, ObserverError};

/// Why records are not written.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The file cannot be opened or cut.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is shorter than the checkpoint says: somebody wrote into it.
    #[error(
        "{}: it ends after {found} bytes, and had {expected} when the checkpoint was written; remove it to \
         go on without those records",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// Its length.
        found: u64,
        /// Its length when the checkpoint was written.
        expected: u64,
    },
    /// What the checkpoint keeps of it is no length.
    #[error("{}: the checkpoint has {found} for its length, expected a number of bytes", path.display())]
    Saved {
        /// The file.
        path: PathBuf,
        /// What the checkpoint has.
        found: Value,
    },
    /// Somebody removed the file.
    #[error(
        "{}: it was removed during the run, and its records are lost",
        path.display()
    )]
    Removed {
        /// The file.
        path: PathBuf,
    },
    /// Records do not go into the file.
    #[error("{}: {source}", path.display())]
    Lost {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

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
