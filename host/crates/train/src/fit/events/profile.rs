//! What a run's time went into: a table, and a trace over time.

mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Event, EventKind, Observer, ObserverError, RecordsError, Timed};
use crate::run_dir::{PROFILE, TRACE};
use thaw_files::durable;

/// Spans that the trace holds, from the run's start on; the table counts all.
const SPANS: usize = 200_000;

/// Sums up what the loop and hooks took; at the run's end it writes the table and the trace, and logs the
/// table. Of a resumed run they are of its last process.
pub struct Profile {
    run_dir: PathBuf,
    /// Seconds at the first event.
    began: Option<f64>,
    /// Where an epoch and a validation began, in seconds.
    epoch: f64,
    validation: f64,
    sums: BTreeMap<String, Sum>,
    spans: Vec<Span>,
}

/// Calls of one thing, and what they took together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Sum {
    calls: u64,
    seconds: f64,
}

/// One call.
struct Span {
    name: String,
    /// Seconds of the run.
    start: f64,
    seconds: f64,
}

impl Profile {
    /// Of a run that writes into this folder.
    pub fn new(run_dir: &Path) -> Self {
        Self {
            run_dir: run_dir.to_owned(),
            began: None,
            epoch: 0.0,
            validation: 0.0,
            sums: BTreeMap::new(),
            spans: Vec::new(),
        }
    }

    fn add(&mut self, name: String, end: f64, seconds: f64) {
        let sum = self.sums.entry(name.clone()).or_default();
        sum.calls += 1;
        sum.seconds += seconds;
        if self.spans.len() < SPANS {
            self.spans.push(Span { name, start: end - seconds, seconds });
        }
    }

    fn write(&self, all: f64) -> Result<(), ObserverError> {
        let table = table::of(&self.sums, all);
        table.lines().for_each(|line| tracing::info!("{line}"));
        let write = |name: &str, text: &str| {
            let path = self.run_dir.join(name);
            durable::write(&path, text.as_bytes())
                .map_err(|source| ObserverError::Lost(RecordsError::Lost { path, source }.into()))
        };
        write(PROFILE, &table)?;
        write(TRACE, &self.trace())
    }

    /// Chrome's trace format: complete events in microseconds, which the viewer nests by their times.
    fn trace(&self) -> String {
        let micro = |seconds: f64| (seconds * 1e6).round();
        let event = |span: &Span| {
            let (start, took) = (micro(span.start), micro(span.seconds));
            json!({ "name": span.name, "ph": "X", "ts": start, "dur": took, "pid": 1, "tid": 1 }).to_string()
        };
        let events: Vec<String> = self.spans.iter().map(event).collect();
        format!("{{\"traceEvents\":[\n{}\n]}}\n", events.join(",\n"))
    }
}

impl Observer for Profile {
    fn name(&self) -> &str {
        "profile"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        let now = event.seconds;
        let began = *self.began.get_or_insert(now);
        match &event.kind {
            EventKind::Timed(Timed { what, of, seconds }) => {
                let name = of.map_or_else(|| (*what).to_owned(), |of| format!("{of}.{what}"));
                self.add(name, now, *seconds);
            }
            EventKind::EpochStarted => self.epoch = now,
            EventKind::EpochEnded { .. } => self.add("epoch".to_owned(), now, now - self.epoch),
            EventKind::ValidationStarted { .. } => self.validation = now,
            EventKind::Validated(_) => self.add("validation".to_owned(), now, now - self.validation),
            // A resume sets the clock to the checkpoint's.
            EventKind::Resumed { .. } => self.began = Some(now),
            EventKind::RunEnded(_) => return self.write(now - began),
            _ => {}
        }
        Ok(())
    }
}
