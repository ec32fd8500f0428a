//! How a run is shown: lines of progress, a table whenever something else trains, the end.

mod curve;
mod foot;
mod frozen_cache;
mod head;
mod line;
mod memory;
mod screen;
mod table;

use std::collections::BTreeMap;

use thaw_plugin_api::context::Progress;

use self::curve::Curve;
pub use self::foot::AboveFoot;
use self::foot::Foot;
use self::line::Line;
use self::memory::Memory;
use crate::width::{self, print_cells, print_wrapped};
pub(crate) use thaw_report::seconds as duration;
use thaw_terminal::escape;
use thaw_terminal::stdout::{OutputError, print};
use thaw_train::fit::events::{Asked, CacheStart, Event, EventKind, GroupsChanged, Observer, ObserverError};

/// Metrics of a validation that are shown before others, and how many are.
const FIRST: [&str; 2] = ["val_loss", "val_acc"];
const SHOWN: usize = 2;

/// Shows a run on the terminal, or writes a line per epoch where there is none.
#[derive(Default)]
pub struct Terminal {
    /// The epoch that is under way.
    line: Option<Line>,
    /// The lines at the foot of the terminal, from the first epoch on.
    foot: Option<Foot>,
    last_table: Option<String>,
    last_rates: String,
    /// What outlives an epoch.
    shown: Shown,
    /// Whether it was told that lines are lost.
    is_loss_told: bool,
}

/// What the lines of an epoch say that was before it.
#[derive(Default)]
pub struct Shown {
    /// The losses of the run.
    losses: Curve,
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
        let (what, table) = table::groups(changed.tree, changed.groups, width::of_stdout());
        let epoch = progress.epoch + 1;
        let (is_other, has_other_rates) = (self.last_table.as_ref() != Some(&what), self.last_rates != rates);
        (self.last_table, self.last_rates) = (Some(what), rates);
        if is_other {
            return self.above(|| print(format_args!("\nepoch {epoch}: what trains\n{table}")));
        }
        if has_other_rates {
            let cells = [format!("epoch {epoch:>3}: rates"), self.last_rates.clone()];
            return self.above(|| print_cells(&cells));
        }
        Ok(())
    }

    /// Writes lines above the foot.
    fn above(&self, write: impl FnOnce() -> Result<(), OutputError>) -> Result<(), OutputError> {
        match &self.foot {
            Some(foot) => foot.suspend(write),
            None => write(),
        }
    }

    /// The epoch begins: the foot is there from now on.
    fn begin(&mut self, progress: &Progress) {
        let foot = self.foot.get_or_insert_with(Foot::new);
        let mut line = Line::new(progress, &self.shown);
        line.refresh(foot, &mut self.shown);
        self.line = Some(line);
    }

    /// The line of an epoch that is over; the foot stays.
    fn end(&mut self, progress: &Progress, metrics: &BTreeMap<String, f64>) -> Result<(), OutputError> {
        match &self.line {
            Some(line) => {
                let cells = line.end(progress, metrics, &mut self.shown);
                self.above(|| print_cells(&cells))
            }
            None => Ok(()),
        }
    }

    /// Shows how far a validation is, and what it gave.
    fn validation(&mut self, progress: &Progress, kind: &EventKind<'_>) {
        if let EventKind::Validated(validated) = kind
            && validated.asked != Asked::BySanityCheck
        {
            let means = validated.metrics.means().map(|(name, mean)| (name.to_owned(), mean));
            let mut means: Vec<(String, f64)> = means.collect();
            means
                .sort_by_key(|(name, _)| FIRST.iter().position(|first| first == name).unwrap_or(FIRST.len()));
            means.truncate(SHOWN);
            self.shown.validated = means;
        }
        let (Some(line), Some(foot)) = (&mut self.line, &self.foot) else { return };
        match kind {
            EventKind::ValidationStarted { batches, .. } => line.validates(foot, *batches, &mut self.shown),
            EventKind::ValidationBatchDone { .. } => {
                line.validated_batches(foot, progress.batch_index + 1, &mut self.shown);
            }
            _ => line.validated(foot, &mut self.shown),
        }
    }

    /// Writes what an event gives to see.
    fn show(&mut self, event: &Event<'_>) -> Result<(), OutputError> {
        let progress = &event.progress;
        match &event.kind {
            EventKind::RunStarted(run) => {
                self.shown.memory = Some(Memory::of(run.device));
                print_wrapped(head::of(run), head::INDENT)
            }
            EventKind::Resumed { .. } => {
                // Both from 1, as all that is shown: the batch that comes next.
                let (epoch, batch) = (progress.epoch + 1, progress.batch_index + 1);
                if progress.epoch >= progress.max_epochs {
                    return print(format_args!(
                        "nothing is left to train of {} epochs: more of them are trained with --set \
                         trainer.max_epochs=N",
                        progress.max_epochs
                    ));
                }
                print(format_args!("resumed at epoch {epoch}, batch {batch}, step {}", progress.global_step))
            }
            EventKind::EpochStarted => {
                self.begin(progress);
                Ok(())
            }
            EventKind::GroupsChanged(groups) => self.groups(progress, groups),
            EventKind::FrozenCache { split, start } => {
                if let (Some(line), CacheStart::Stage { seconds, .. }) = (&mut self.line, start) {
                    line.took_once(*seconds);
                }
                self.above(|| print_cells(&frozen_cache::line(progress, *split, start)))
            }
            EventKind::StepDone(step) => {
                if let (Some(line), Some(foot)) = (&mut self.line, &self.foot) {
                    line.step(foot, progress, step, &mut self.shown);
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
            EventKind::EpochEnded { metrics } => self.end(progress, metrics),
            EventKind::RunEnded(_) => {
                (self.line, self.foot) = (None, None);
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
