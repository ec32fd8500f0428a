//! Metrics that the loop logs: of single batches, of validations inside an epoch, of epochs.

use super::Fit;
use super::events::{EventKind, Rates, Record};
use super::step::BatchResult;
use crate::Error;
use thaw_optim::optimizer::{Optimizer, ParamGroup};

/// How many stages of the model training left out in an epoch, as the frozen cache had what they give.
const FROZEN_CACHE: &str = "frozen_cache";
/// The same of validation.
const VAL_FROZEN_CACHE: &str = "val_frozen_cache";

impl Fit {
    fn groups(&self) -> &[ParamGroup] {
        self.state.trained.optimizer.as_ref().map(Optimizer::groups).unwrap_or_default()
    }

    /// Takes note of the rates that the coming step uses: schedulers move them at its end.
    pub(super) fn note_rates(&mut self) {
        let groups = self.state.trained.optimizer.as_ref().map(Optimizer::groups).unwrap_or_default();
        self.state.measured.used_rates.clear();
        self.state.measured.used_rates.extend(groups.iter().map(|group| group.lr));
    }

    /// The rates for the record of a batch, by the names that groups have before its step; none where it has
    /// no record.
    pub(super) fn rates_of_record(&self, batch: usize) -> Option<Vec<(String, f64)>> {
        let every = self.state.config.trainer.log_every_n_steps;
        let is_logged = every > 0 && (batch + 1).is_multiple_of(every);
        let rate = |group: &ParamGroup| (format!("lr-{}", group.name), group.lr);
        is_logged.then(|| self.groups().iter().map(rate).collect())
    }

    /// The record of a batch. Waits for the device: its loss is to be in it.
    pub(super) fn log_batch(
        &mut self,
        batch: usize,
        result: &BatchResult,
        rates: Vec<(String, f64)>,
    ) -> Result<(), Error> {
        self.state.settle()?;
        let mut record = Record { batch: Some(batch), values: Vec::new() };
        record.set("train_loss_step", self.state.measured.loss.unwrap_or(f64::NAN));
        if let Some(norm) = &result.grad_norm {
            record.set("grad_norm", norm.read()?);
        }
        rates.into_iter().for_each(|(name, lr)| record.set(name, lr));
        self.log(record)
    }

    /// The record of an epoch: its own values alone, no older ones.
    pub(super) fn log_epoch(&mut self, validated: bool) -> Result<(), Error> {
        let state = &self.state;
        let validation = state.measured.validation.as_ref().filter(|_| validated);
        let of_epoch = |name: &str| {
            state.measured.meter.mean(name).is_some()
                || validation.is_some_and(|validation| validation.metrics.mean(name).is_some())
        };
        let mut record = Record::default();
        for (name, value) in state.measured.metrics.iter().filter(|(name, _)| of_epoch(name)) {
            record.set(name, *value);
        }
        let rates = Rates { groups: self.groups(), used: &state.measured.used_rates };
        rates.iter().for_each(|(name, lr)| record.set(format!("lr-{name}"), lr));
        let (epoch, decided) = (state.progress().epoch, &state.prefix.decided);
        for (name, cut) in [(FROZEN_CACHE, &decided.train), (VAL_FROZEN_CACHE, &decided.val)] {
            cut.used_in(epoch).into_iter().for_each(|stages| record.set(name, stages as f64));
        }
        self.log(record)
    }

    /// The record of a validation that a hook asked for inside an epoch.
    pub(super) fn log_validation(&mut self) -> Result<(), Error> {
        let Some(validation) = &self.state.measured.validation else { return Ok(()) };
        let mut record = Record::default();
        validation.metrics.means().for_each(|(name, mean)| record.set(name, mean));
        Ok(self.observers.tell(&self.state.position.progress, EventKind::Logged(&record))?)
    }

    /// Tells a record, with what hooks logged since the one before.
    fn log(&mut self, mut record: Record) -> Result<(), Error> {
        let logged = std::mem::take(&mut self.state.requests.logged);
        logged.into_iter().for_each(|(name, value)| record.set(name, value));
        Ok(self.observers.tell(&self.state.position.progress, EventKind::Logged(&record))?)
    }
}
