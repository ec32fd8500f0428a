//! One epoch: its batches, schedulers, validation and checkpoint.

use thaw_plugin_api::hook::Hook;

use super::events::{Asked, EventKind};
use super::step::to_device;
use super::{Fit, FitError, Seen};
use crate::Error;
use thaw_data::{Batch, Loader, Split};
use thaw_torch::reading::WaitCounter;

/// Where it is set, each epoch logs how often its batches waited for the device.
const COUNT_WAITS: &str = "THAW_COUNT_WAITS";

impl Fit {
    /// Trains an epoch from where it stands; gives why the run stops, if it does.
    pub(super) fn run_epoch(&mut self) -> Result<Option<String>, Error> {
        let start = self.state.position.progress.batch_index;
        self.state.watched.laid_out = true;
        self.tell(EventKind::EpochStarted)?;
        if start == 0 {
            self.state.measured.meter.clear();
            self.start_epoch()?;
        } else {
            self.state.audit()?;
        }
        let counter = std::env::var_os(COUNT_WAITS).map(|_| WaitCounter::start()).transpose()?;
        self.train_batches(start)?;
        if let Some(counter) = counter {
            let batches = self.state.position.progress.batch_index - start;
            tracing::info!("{} waits for the device in {batches} batches", counter.count());
        }
        if self.state.position.progress.batch_index < self.state.position.progress.num_training_batches {
            self.stop_inside_epoch()?;
        } else {
            self.end_epoch()?;
            if Self::is_interrupted()
                && self.state.position.progress.epoch < self.state.config.trainer.max_epochs
            {
                return Err(self.interrupted());
            }
        }
        let limit = self
            .state
            .reached_max_steps()
            .then(|| format!("max_steps = {} is reached", self.state.position.progress.global_step));
        Ok(self.state.requests.stop.take().or(limit))
    }

    /// Batches up to the end of the epoch, or to where the run stops.
    fn train_batches(&mut self, start: usize) -> Result<(), Error> {
        let epoch = self.state.position.progress.epoch as u64;
        let Some(mut loader) = self.state.data.loader(Split::Train, epoch, start)? else {
            return Err(FitError::NoBatches("there are no samples".to_owned()).into());
        };
        while self.state.position.progress.batch_index < self.state.position.progress.num_training_batches {
            let Some(batch) = self.next_batch(&mut loader)? else {
                return self.end_without_last_batch();
            };
            self.train_on(batch)?;
            // Gradients of an unfinished window are in no checkpoint: it is finished first.
            if self.state.position.window_samples == 0 && self.is_to_stop() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether a hook, the limit of steps or the user asks for an end.
    pub(super) fn is_to_stop(&self) -> bool {
        self.state.requests.stop.is_some() || self.state.reached_max_steps() || Self::is_interrupted()
    }

    /// None of the last batch's samples could be read: what was accumulated is stepped on all the same.
    fn end_without_last_batch(&mut self) -> Result<(), Error> {
        self.finish_window()?;
        self.epoch_schedulers()?;
        self.state.position.progress.batch_index = self.state.position.progress.num_training_batches;
        Ok(())
    }

    fn finish_window(&mut self) -> Result<(), Error> {
        if self.state.position.window_samples > 0 {
            self.optimizer_step()?;
            self.state.position.window_samples = 0;
        }
        Ok(())
    }

    /// The run stops here. The checkpoint says so, and what follows is not in it: a resumed run goes on with
    /// the next batch.
    fn stop_inside_epoch(&mut self) -> Result<(), Error> {
        self.checkpoint_inside_epoch()?;
        if Self::is_interrupted() {
            return Err(self.interrupted());
        }
        self.close_epoch()?;
        self.mark_best()?;
        self.requested_after_last()
    }

    /// The next batch that could be read; none where the epoch has no more of them.
    fn next_batch(&mut self, loader: &mut Loader) -> Result<Option<Batch>, Error> {
        let Some(batch) = loader.next().transpose()? else { return Ok(None) };
        // Not counted: a batch whose pictures could not be read keeps its place.
        let index = batch.position;
        if index >= self.state.position.progress.num_training_batches {
            return Ok(None);
        }
        // Where batches in between were left out, the window before this one may still wait for its step.
        let window = self.state.config.trainer.accumulate_grad_batches;
        if index >= self.state.position.progress.batch_index.next_multiple_of(window) {
            self.finish_window()?;
        }
        self.state.position.progress.batch_index = index;
        Ok(Some(batch))
    }

    /// Trains on a batch, with its hooks and what they ask for.
    fn train_on(&mut self, batch: Batch) -> Result<(), Error> {
        let (index, samples) = (batch.position, batch.len());
        let batch = to_device(batch, self.state.trained.model.device());
        let (batch, _) = batch.map_err(|error| self.state.explain_memory(error, samples))?;
        self.hooks(Hook::TrainBatchStart)?;
        let rates = self.rates_of_record(index);
        self.note_rates();
        let is_last = index + 1 == self.state.position.progress.num_training_batches;
        let result = self.train_batch(&batch, samples, is_last);
        let result = result.map_err(|error| self.state.explain_memory(error, samples))?;
        if result.stepped {
            self.state.position.window_samples = 0;
        }
        self.state.position.samples += samples as u64;
        if is_last {
            self.epoch_schedulers()?;
        }
        self.hooks(Hook::TrainBatchEnd)?;
        if !std::mem::replace(&mut self.state.watched.monitors_checked, true) {
            // Which metrics there are, the first batch says.
            self.state.settle()?;
            self.check_training_monitors()?;
        }
        self.tell_step(samples, &result)?;
        if let Some(rates) = rates {
            self.log_batch(index, &result, rates)?;
        }
        self.state.position.progress.batch_index += 1;
        self.look_for_swap_request();
        self.after_batch(result.stepped)
    }

    /// What hooks asked for, and checkpoints of every so many steps.
    fn after_batch(&mut self, stepped: bool) -> Result<(), Error> {
        if self.state.requests.validate {
            self.state.requests.validate = false;
            self.validate(Asked::ByHook)?;
            self.log_validation()?;
        }
        let at_end =
            self.state.position.progress.batch_index >= self.state.position.progress.num_training_batches;
        if stepped && !at_end {
            self.requested_checkpoints()?;
        }
        let every = self.state.config.checkpoint.every_n_train_steps;
        if stepped
            && !at_end
            && every.is_some_and(|every| self.state.position.progress.global_step.is_multiple_of(every))
        {
            self.checkpoint_inside_epoch()?;
        }
        Ok(())
    }

    fn end_epoch(&mut self) -> Result<(), Error> {
        let epoch = self.state.position.progress.epoch;
        self.close_epoch()?;
        self.state.position.progress.epoch += 1;
        self.state.position.progress.batch_index = 0;
        self.checkpoint_epoch(epoch)
    }

    /// Validation, records and hooks of an epoch's end.
    fn close_epoch(&mut self) -> Result<(), Error> {
        self.state.settle()?;
        let means: Vec<(String, f64)> =
            self.state.measured.meter.means().map(|(name, mean)| (name.to_owned(), mean)).collect();
        means.iter().for_each(|(name, mean)| self.state.set_metric(name, *mean));
        let epoch = self.state.position.progress.epoch;
        let validates = (epoch + 1).is_multiple_of(self.state.config.trainer.check_val_every_n_epoch);
        self.state.measured.validation = None;
        if validates {
            self.validate(Asked::ByEpoch)?;
        }
        let moved = self.state.watched.frozen.moved()?;
        self.state.report_findings(moved)?;
        self.hooks(Hook::TrainEpochEnd)?;
        let has_validated = validates || self.state.position.progress.num_validation_batches == 0;
        self.check_monitors(if has_validated { Seen::ValidatedEpoch } else { Seen::Epoch })?;
        self.log_epoch(validates)?;
        self.plateau_scheduler()?;
        Ok(self.observers.tell(
            &self.state.position.progress,
            EventKind::EpochEnded { metrics: &self.state.measured.metrics },
        )?)
    }
}
