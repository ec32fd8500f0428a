//! What an epoch spends its time on, as far as events tell.

use serde_json::{Map, Value, json};

use crate::fit::events::{Event, EventKind, Spent};

/// Seconds of the present epoch, by what they went to.
#[derive(Default)]
pub(super) struct Timing {
    epoch_started: f64,
    validation_started: f64,
    validation: f64,
    checkpoints: f64,
    ended: f64,
    samples: usize,
    spent: Spent,
    /// What observers had taken when the epoch began, and when a validation of it did.
    observing: (f64, f64),
    /// What they took of the epoch's training.
    loggers: f64,
}

impl Timing {
    /// Takes an event.
    pub(super) fn see(&mut self, event: &Event<'_>) {
        match &event.kind {
            EventKind::EpochStarted => {
                let observing = (event.observing, event.observing);
                *self = Self { epoch_started: event.seconds, observing, ..Self::default() };
            }
            EventKind::EpochEnding { spent, .. } => self.spent = *spent,
            EventKind::StepDone(step) => self.samples += step.samples,
            EventKind::ValidationStarted { .. } => {
                (self.validation_started, self.observing.1) = (event.seconds, event.observing);
            }
            EventKind::Validated(_) => {
                self.validation += event.seconds - self.validation_started;
                // What they took of it is the validation's.
                self.observing.0 += event.observing - self.observing.1;
            }
            // Those between two epochs are no part of either.
            EventKind::CheckpointWritten(written) if event.progress.batch_index > 0 => {
                self.checkpoints += written.waited;
            }
            EventKind::EpochEnded { .. } => {
                (self.ended, self.loggers) = (event.seconds, event.observing - self.observing.0);
            }
            _ => {}
        }
    }

    /// `training`, and of it `data`, `forward`, `backward`, `optimizer_step` and `loggers` (records, loggers,
    /// the report and the terminal; the rest are hooks and whatever else), `validation` and `checkpoints`
    /// inside the epoch, in seconds, and the `samples` that were trained on.
    pub(super) fn of_epoch(&self) -> Map<String, Value> {
        let training = self.ended - self.epoch_started - self.validation - self.checkpoints;
        let mut values = Map::new();
        values.insert("training".to_owned(), json!(milliseconds(training)));
        let Spent { data, forward, backward, optimizer_step } = self.spent;
        let parts = [("data", data), ("forward", forward), ("backward", backward)];
        for (part, seconds) in parts.into_iter().chain([("optimizer_step", optimizer_step)]) {
            values.insert(part.to_owned(), json!(milliseconds(seconds)));
        }
        values.insert("loggers".to_owned(), json!(milliseconds(self.loggers)));
        values.insert("validation".to_owned(), json!(milliseconds(self.validation)));
        values.insert("checkpoints".to_owned(), json!(milliseconds(self.checkpoints)));
        values.insert("samples".to_owned(), json!(self.samples));
        values
    }
}

pub(super) fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
