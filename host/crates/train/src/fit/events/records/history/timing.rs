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
}

impl Timing {
    /// Takes an event.
    pub(super) fn see(&mut self, event: &Event<'_>) {
        match &event.kind {
            EventKind::EpochStarted => {
                *self = Self { epoch_started: event.seconds, ..Self::default() };
            }
            EventKind::EpochEnding { spent, .. } => self.spent = *spent,
            EventKind::StepDone(step) => self.samples += step.samples,
            EventKind::ValidationStarted { .. } => self.validation_started = event.seconds,
            EventKind::Validated(_) => self.validation += event.seconds - self.validation_started,
            // Those between two epochs are no part of either.
            EventKind::CheckpointWritten(written) if event.progress.batch_index > 0 => {
                self.checkpoints += written.waited;
            }
            EventKind::EpochEnded { .. } => self.ended = event.seconds,
            _ => {}
        }
    }

    /// `training`, and of it `data`, `forward`, `backward` and `optimizer_step` (the rest are hooks, records
    /// and whatever else), `validation` and `checkpoints` inside the epoch,
    /// in seconds, and the `samples` that were trained on.
    pub(super) fn of_epoch(&self) -> Map<String, Value> {
        let training = self.ended - self.epoch_started - self.validation - self.checkpoints;
        let mut values = Map::new();
        values.insert("training".to_owned(), json!(milliseconds(training)));
        let Spent { data, forward, backward, optimizer_step } = self.spent;
        let parts = [("data", data), ("forward", forward), ("backward", backward)];
        for (part, seconds) in parts.into_iter().chain([("optimizer_step", optimizer_step)]) {
            values.insert(part.to_owned(), json!(milliseconds(seconds)));
        }
        values.insert("validation".to_owned(), json!(milliseconds(self.validation)));
        values.insert("checkpoints".to_owned(), json!(milliseconds(self.checkpoints)));
        values.insert("samples".to_owned(), json!(self.samples));
        values
    }
}

pub(super) fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
