//! What each step of the driver is to a run of the program.

use thaw_plugin_api::drive::{self, Batches, Next, Step, Training};

use super::events::{EventKind, Spent};
use super::resume::Resumed;
use super::step::{BatchResult, Fed, Loaded};
use super::{Fit, FitError, Seen};
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::error::tensor_sets;
use crate::parts::first_optimizer;
use thaw_data::{Loader, Split};

/// A checkpoint, and how it was found to go on from.
pub struct Resume {
    pub(super) checkpoint: Checkpoint,
    pub(super) resumed: Resumed,
}

impl Training for Fit {
    type Saved = Resume;

    fn build_optimizer(&mut self) -> Result<(), Error> {
        let (state, callbacks) = (&mut self.state, &self.callbacks);
        let progress = state.position.progress;
        let first = first_optimizer(&state.config, &mut state.trained.model, callbacks, &progress)?;
        if first.frozen > 0 {
            tracing::info!(
                "{} parameters outside of [optimizer] parameters are frozen, batch norms among them in \
                 evaluation mode: no strategy is loaded that could thaw them",
                first.frozen
            );
        }
        state.trained.scheduler = first.scheduler;
        state.trained.optimizer = Some(first.optimizer);
        state.watched.changed = false;
        Ok(())
    }

    fn restore(&mut self, saved: &Resume) -> Result<(), Error> {
        self.state.restore_trained(&saved.checkpoint)
    }

    fn load_states(&mut self, saved: &Resume) -> Result<(), Error> {
        self.restore_callbacks(&saved.checkpoint.state.callbacks, saved.checkpoint.folder())?;
        self.state.restore_run(&saved.checkpoint, &saved.resumed)
    }

    fn sanity_batches(&self) -> usize {
        self.sanity_batches_of(self.state.progress().num_validation_batches)
    }

    fn sanity_checked(&mut self) -> Result<(), Error> {
        // Where it is switched off, what validation gives is not known yet.
        if self.sanity_batches() == 0 && self.state.progress().num_validation_batches > 0 {
            return Ok(());
        }
        Ok(self.check_monitors(Seen::SanityCheck)?)
    }

    fn is_over(&self) -> bool {
        self.now.stopped.is_some() || self.state.is_asked_to_stop() || self.state.reached_max_steps()
    }

    fn begin_epoch(&mut self) -> Result<(), Error> {
        self.state.watched.laid_out = true;
        self.state.watch_decided();
        self.now.spent = Spent::default();
        self.tell(EventKind::EpochStarted)?;
        if self.state.progress().batch_index == 0 {
            self.state.measured.meter.clear();
            self.await_entrance()?;
        }
        Ok(())
    }

    fn is_replaced(&mut self, index: usize) -> Result<bool, Error> {
        self.enter_in_place_of(index)
    }

    fn epoch_started(&mut self) -> Result<(), Error> {
        // The epoch before is over: what it gave counts no more.
        self.state.measured.metrics.clear();
        self.adopt_groups()?;
        self.narrow_frozen()?;
        self.agree_on_groups()?;
        self.state.audit()?;
        self.state.check_something_trains()?;
        self.warn_of_rates_of_0();
        self.report_groups()
    }

    fn epoch_resumed(&mut self) -> Result<(), Error> {
        self.narrow_frozen()?;
        self.state.audit()?;
        if std::mem::take(&mut self.state.requests.validate_first) {
            drive::validation(self, drive::Pass::Scheduled)?;
            self.validated_inside_epoch()?;
            self.checkpoint_after_step()?;
        }
        Ok(())
    }

    fn training_data(&mut self) -> Result<Batches<Fed, Error>, Error> {
        self.count_waits()?;
        let progress = self.state.progress();
        let (epoch, batch) = (progress.epoch as u64, progress.batch_index);
        if let Some((start, features)) = self.stand_in(Split::Train)? {
            let loader = self.state.data.loader_of(&features, Split::Train, epoch, batch)?;
            return Ok(self.noting_waits(by_position(Some(loader), start)));
        }
        let loader = self.state.data.loader(Split::Train, epoch, batch)?;
        if loader.is_none() {
            return Err(FitError::NoBatches("there are no samples".to_owned()).into());
        }
        Ok(self.noting_waits(by_position(loader, 0)))
    }

    fn accumulate_grad_batches(&self) -> usize {
        self.state.window()
    }

    fn forward(&mut self, loaded: &mut Loaded) -> Result<(), Error> {
        self.state.trained.sets.check_out().map_err(tensor_sets)?;
        // Schedulers move the rates at the end of the step.
        loaded.rates = self.rates_of_record(self.state.progress().batch_index);
        self.note_rates();
        self.now.grad_norm = None;
        self.timed("forward", |fit| fit.training_loss(loaded))
    }

    fn zero_grad(&mut self) -> Result<(), Error> {
        self.timed("zero_grad", Self::clear_gradients)
    }

    fn backward(&mut self, loaded: &mut Loaded) -> Result<(), Error> {
        // As PyTorch: hooks after the backward pass of a window's last batch see the gradients of all
        // processes.
        let is_summed = !self.state.world.is_single() && self.ends_window();
        // One in parts gives some gradients more than once.
        if is_summed && loaded.loss.is_some() && loaded.tape.is_none() {
            self.begin_sums()?;
        }
        self.timed("backward", |fit| fit.add_gradients(loaded))?;
        if is_summed { self.timed("sum_gradients", Self::sum_gradients) } else { Ok(()) }
    }

    fn unscale(&mut self) -> Result<(), Error> {
        if self.state.watched.audit_gradients {
            self.audit_gradients()?;
        }
        self.unscale_gradients()
    }

    fn optimizer_step(&mut self) -> Result<(), Error> {
        self.timed("optimizer_step", Self::clip_and_step)
    }

    fn step_schedulers(&mut self) -> Result<(), Error> {
        Ok(self.schedule_step()?)
    }

    fn epoch_schedulers(&mut self) -> Result<(), Error> {
        Ok(self.schedule_epoch()?)
    }

    fn batch_failed(&mut self, error: Error, loaded: &Loaded) -> Error {
        self.state.explain_memory(error, loaded.samples)
    }

    fn batch_ended(&mut self, loaded: Loaded, step: Step) -> Result<(), Error> {
        self.state.position.samples += loaded.of_all as u64;
        if !std::mem::replace(&mut self.state.watched.monitors_checked, true) {
            // Which metrics there are, the first batch says.
            self.state.settle()?;
            self.check_training_monitors()?;
        }
        let result = BatchResult { grad_norm: self.now.grad_norm.take(), stepped: step == Step::Now };
        self.tell_step(loaded.of_all, &result)?;
        match loaded.rates {
            Some(rates) => self.log_batch(self.state.progress().batch_index, &result, rates),
            None => Ok(()),
        }
    }

    fn after_batch(&mut self) {
        self.look_for_swap_request();
        self.look_for_asks();
        self.look_at_clock();
    }

    fn take_validation_request(&mut self) -> bool {
        std::mem::take(&mut self.state.requests.validate)
    }

    fn validates_batch(&self) -> bool {
        self.state.validates_here()
    }

    fn validated_inside_epoch(&mut self) -> Result<(), Error> {
        self.log_validation()
    }

    fn checkpoint_after_step(&mut self) -> Result<(), Error> {
        self.look_at_checkpoint()?;
        self.requested_checkpoints()?;
        let step = self.state.progress().global_step;
        // Weights of a whole step have the validation's metrics.
        if self.state.validates_here() && self.state.measured.validated_at == Some(step) {
            return self.checkpoint_validated();
        }
        let every = self.state.config.checkpoint.every_n_train_steps;
        if every.is_some_and(|every| step.is_multiple_of(every)) {
            self.checkpoint_inside_epoch()?;
        }
        Ok(())
    }

    fn next(&self) -> Next {
        if self.is_interrupted() {
            Next::Leave
        } else if self.is_over() {
            Next::Stop
        } else {
            Next::GoOn
        }
    }

    /// The user ends the run.
    fn leave(&mut self) -> Result<(), Error> {
        self.log_waits();
        self.checkpoint_inside_epoch()?;
        Err(self.interrupted())
    }

    fn checkpoint_before_stop(&mut self) -> Result<(), Error> {
        self.checkpoint_inside_epoch()
    }

    fn batches_ended(&mut self) -> Result<(), Error> {
        self.log_waits();
        self.now.validates_epoch = self.state.validates_at_end();
        self.gather_metrics()
    }

    fn validates_epoch(&self) -> bool {
        self.now.validates_epoch
    }

    fn before_epoch_end(&mut self) -> Result<(), Error> {
        self.state.report_moved(self.state.look_after_epoch())?;
        self.check_prefix()
    }

    fn epoch_ended(&mut self) -> Result<(), Error> {
        let validates = self.validates_epoch();
        let has_validated =
            self.state.is_validating_epoch() || self.state.progress().num_validation_batches == 0;
        self.check_monitors(if has_validated { Seen::ValidatedEpoch } else { Seen::Epoch })?;
        self.stop_as_asked();
        self.close_epoch(validates)
    }

    fn checkpoint_after_epoch(&mut self) -> Result<(), Error> {
        let next = self.state.progress().epoch;
        self.checkpoint_epoch(next - 1)?;
        if self.is_interrupted() && next < self.state.config.trainer.max_epochs {
            return Err(self.interrupted());
        }
        self.note_stop();
        Ok(())
    }

    fn stopped_inside_epoch(&mut self) -> Result<(), Error> {
        self.mark_best()?;
        self.requested_after_last()?;
        self.note_stop();
        Ok(())
    }

    fn trained(&mut self) -> Result<(), Error> {
        // Asked for before the first epoch.
        self.now.stopped = self.now.stopped.take().or_else(|| self.state.take_stop());
        // Where checkpoints are off, nothing has looked at them.
        Ok(self.state.check_weights()?)
    }

    fn fitted(&mut self) -> Result<(), Error> {
        self.requested_checkpoints()?;
        self.observers.flush(&self.state.position.progress)?;
        self.check_written()?;
        self.check_records()
    }

    fn ended(&mut self) {
        self.close_swaps();
        self.close_asks();
    }
}

impl Fit {
    /// Whether the optimizer steps after the batch that is under way.
    fn ends_window(&self) -> bool {
        let progress = self.state.progress();
        let next = progress.batch_index + 1;
        next.is_multiple_of(self.accumulate_grad_batches()) || next == progress.num_training_batches
    }

    /// Keeps why the run stops after this epoch, if it does.
    fn note_stop(&mut self) {
        let step = self.state.progress().global_step;
        let limit = self.state.reached_max_steps().then(|| format!("max_steps = {step} is reached"));
        self.now.stopped = self.state.take_stop().or(limit);
    }

    /// Whether a hook, the limit of steps or the user asks for an end.
    pub(super) fn is_to_stop(&self) -> bool {
        self.next() != Next::GoOn
    }
}

/// A loader's batches, which have passed so many of the model's stages. One whose pictures could not be read
/// is left out, and keeps its place.
pub(super) fn by_position(loader: Option<Loader>, start: usize) -> Batches<Fed, Error> {
    let batches = loader.into_iter().flatten();
    Box::new(batches.map(move |batch| {
        let batch = batch?;
        Ok((batch.position, Fed { batch, start }))
    }))
}

impl Fit {
    /// Batches of a validation set that a sanity check takes, of so many.
    pub(super) fn sanity_batches_of(&self, batches: usize) -> usize {
        usize::try_from(self.state.config.trainer.num_sanity_val_steps)
            .map_or(batches, |steps| steps.min(batches))
    }
}
