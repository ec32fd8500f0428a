//! How a run is shown: a line of progress, a table whenever something else trains, the end.

mod head;
mod line;
mod table;

use std::fmt::Display;

use thaw_plugin_api::context::Progress;

use self::line::Line;
use thaw_terminal::stdout::{OutputError, print};
use thaw_train::fit::events::{Event, EventKind, GroupsChanged, Observer, ObserverError};

/// Shows a run on the terminal, or writes a line per epoch where there is none.
#[derive(Default)]
pub struct Terminal {
    /// The epoch that is under way.
    line: Option<Line>,
    last_table: Option<String>,
    last_rates: String,
}

impl Terminal {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What trains at which rate: a table where something else trains than before, a line where only rates
    /// have changed.
    fn groups(&mut self, progress: &Progress, changed: &GroupsChanged<'_>) -> Result<(), ObserverError> {
        let rates = table::rates(changed.groups);
        let (what, table) = table::groups(changed.tree, changed.groups);
        let text = if self.last_table.as_ref() != Some(&what) {
            format!("\nepoch {}: what trains\n{table}", progress.epoch + 1)
        } else if self.last_rates != rates {
            format!("epoch {:>3}: rates  {rates}", progress.epoch + 1)
        } else {
            return Ok(());
        };
        (self.last_table, self.last_rates) = (Some(what), rates);
        match &self.line {
            Some(line) => line.suspend(|| show(text)),
            None => show(text),
        }
    }
}

impl Observer for Terminal {
    fn name(&self) -> &str {
        "terminal"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        let progress = &event.progress;
        match &event.kind {
            EventKind::RunStarted(run) => show(head::of(run)),
            EventKind::Resumed { .. } => {
                let Progress { epoch, batch_index, global_step, .. } = progress;
                show(format_args!("resumed at epoch {epoch}, batch {batch_index}, step {global_step}"))
            }
            EventKind::EpochStarted => {
                self.line = Some(Line::new(progress));
                Ok(())
            }
            EventKind::GroupsChanged(groups) => self.groups(progress, groups),
            EventKind::StepDone(step) => {
                if let Some(line) = &mut self.line {
                    line.step(progress, step);
                }
                Ok(())
            }
            EventKind::EpochEnded { metrics } => match self.line.take() {
                Some(line) => show(line.end(progress, metrics)),
                None => Ok(()),
            },
            EventKind::RunEnded(_) => {
                self.line = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Lines that standard output does not take.
#[derive(Debug, thiserror::Error)]
#[error("{0}; the run goes on without these lines")]
struct LostLines(OutputError);

/// Writes lines to standard output. Where they are lost, that is said once, and the run goes on.
fn show(text: impl Display) -> Result<(), ObserverError> {
    print(text).map_err(|error| ObserverError::Lost(LostLines(error).into()))
}
