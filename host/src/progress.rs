//! How a run is shown: lines of progress, a table whenever something else trains, the end.

mod foot;
mod frozen_cache;
mod head;
mod line;
mod memory;
mod screen;
mod table;

use thaw_plugin_api::context::Progress;

pub use self::foot::AboveFoot;
use self::line::Line;
use self::memory::Memory;
pub(crate) use self::table::duration;
use thaw_terminal::escape;
use thaw_terminal::stdout::{OutputError, print};
use thaw_train::fit::events::{Asked, CacheStart, Event, EventKind, GroupsChanged, Observer, ObserverError};

/// Shows a run on the terminal, or writes a line per epoch where there is none.
#[derive(Default)]
pub struct Terminal {
    /// The epoch that is under way.
    line: Option<Line>,
    last_table: Option<String>,
    last_rates: String,
    /// What training and validation start from, as it was shown last.
    cache: frozen_cache::Shown,
    /// What outlives an epoch.
    shown: Shown,
    /// Whether it was told that lines are lost.
    is_loss_told: bool,
}

/// What the lines of an epoch say that was before it.
#[derive(Default)]
pub struct Shown {
    /// What trains, with its rates.
    trains: String,
    /// What the last validation gave.
    validated: Vec<(String, f64)>,
    /// Seconds of the validations of the last epoch that had one.
    last_validation: Option<f64>,
    memory: Option<Memory>,
    warnings: usize,
    last_warning: String,
}

impl Terminal {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// What trains at which rate: a table where something else trains than before, a line where only rates
    /// have changed.
    fn groups(&mut self, progress: &Progress, changed: &GroupsChanged<'_>) -> Result<(), OutputError> {
        let rates = table::rates(changed.groups);
        self.shown.trains = table::trains(changed.tree, &rates);
        let (what, table) = table::groups(changed.tree, changed.groups);
        let text = if self.last_table.as_ref() != Some(&what) {
            format!("\nepoch {}: what trains\n{table}", progress.epoch + 1)
        } else if self.last_rates != rates {
            format!("epoch {:>3}: rates  {rates}", progress.epoch + 1)
        } else {
            return Ok(());
        };
        (self.last_table, self.last_rates) = (Some(what), rates);
        self.print(text)
    }

    /// A line above that of the epoch.
    fn print(&self, text: String) -> Result<(), OutputError> {
        match &self.line {
            Some(line) => line.suspend(|| print(text)),
            None => print(text),
        }
    }

    /// Shows how far a validation is, and what it gave.
    fn validation(&mut self, progress: &Progress, kind: &EventKind<'_>) {
        if let EventKind::Validated(validated) = kind
            && validated.asked != Asked::BySanityCheck
        {
            let means = validated.metrics.means().take(2);
            self.shown.validated = means.map(|(name, mean)| (name.to_owned(), mean)).collect();
        }
        let Some(line) = &mut self.line else { return };
        match kind {
            EventKind::ValidationStarted { batches, .. } => line.validates(*batches, &mut self.shown),
            EventKind::ValidationBatchDone { .. } => {
                line.validated_batches(progress.batch_index + 1, &mut self.shown);
            }
            _ => line.validated(&mut self.shown),
        }
    }

    /// Writes what an event gives to see.
    fn show(&mut self, event: &Event<'_>) -> Result<(), OutputError> {
        let progress = &event.progress;
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.shown.memory = Some(Memory::of(run.device));
                print(head::of(run))
            }
            EventKind::Resumed { .. } => {
                // Both from 1, as all that is shown: the batch that comes next.
                let (epoch, batch) = (progress.epoch + 1, progress.batch_index + 1);
                print(format_args!("resumed at epoch {epoch}, batch {batch}, step {}", progress.global_step))
            }
            EventKind::EpochStarted => {
                self.line = Some(Line::new(progress, &self.shown));
                Ok(())
            }
            EventKind::GroupsChanged(groups) => self.groups(progress, groups),
            EventKind::FrozenCache { split, start } => {
                if let (Some(line), CacheStart::Stage { seconds, .. }) = (&mut self.line, start) {
                    line.took_once(*seconds);
                }
                match self.cache.line(progress, *split, start) {
                    Some(text) => self.print(text),
                    None => Ok(()),
                }
            }
            EventKind::StepDone(step) => {
                if let Some(line) = &mut self.line {
                    line.step(progress, step, &mut self.shown);
                }
                Ok(())
            }
            EventKind::ValidationStarted { .. }
            | EventKind::ValidationBatchDone { .. }
            | EventKind::Validated(_) => {
                self.validation(progress, &event.kind);
                Ok(())
            }
            EventKind::Warned(text) => {
                self.shown.warnings += 1;
                self.shown.last_warning = escape(text).into_owned();
                Ok(())
            }
            EventKind::EpochEnded { metrics } => match self.line.take() {
                Some(line) => print(line.end(progress, metrics, &mut self.shown)),
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

impl Observer for Terminal {
    fn name(&self) -> &str {
        "terminal"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<(), ObserverError> {
        // Lines are no part of what a run leaves: it does well without them.
        if let Err(error) = self.show(event)
            && !std::mem::replace(&mut self.is_loss_told, true)
        {
            tracing::error!("{error}; the run goes on without these lines");
        }
        Ok(())
    }
}
