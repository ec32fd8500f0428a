//! The observer that keeps a report up to date.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use thaw_train::fit::events::{Event, EventKind, Observer, ObserverError};

/// Making the report takes at most one part in so many of a run's time, but for the first and the last one.
const SHARE: u32 = 20;

/// Writes `report.html` of a run after each epoch and at its end, from what the records hold: it is to be
/// told after those who write them. A run whose epochs are shorter than twenty times what a report takes
/// gets it less often.
#[derive(Default)]
pub struct Reporter {
    run_dir: PathBuf,
    /// Whether the run goes on: a refused one leaves what was there.
    has_begun: bool,
    /// When the last report was complete, and what it took.
    last: Option<(Instant, Duration)>,
}

impl Reporter {
    /// For a run that is not built yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn write(&mut self) -> Result<(), ObserverError> {
        let started = Instant::now();
        crate::write(&self.run_dir, None)?;
        self.last = Some((Instant::now(), started.elapsed()));
        Ok(())
    }

    fn is_due(&self) -> bool {
        self.last.is_none_or(|(at, took)| at.elapsed() >= took * SHARE)
    }
}

impl Observer for Reporter {
    fn name(&self) -> &str {
        "report"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.run_dir = run.run_dir.to_path_buf();
                Ok(())
            }
            EventKind::Resumed { .. } | EventKind::EpochStarted | EventKind::ValidationStarted { .. } => {
                self.has_begun = true;
                Ok(())
            }
            EventKind::EpochEnded { .. } if self.is_due() => self.write(),
            EventKind::RunEnded(_) if self.has_begun => self.write(),
            _ => Ok(()),
        }
    }
}
