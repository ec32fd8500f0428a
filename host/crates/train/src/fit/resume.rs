//! Going on from a checkpoint: what it is resumed with is compared with what it was, then everything is put
//! back.

mod changes;
mod check;
mod journal;
mod position;
mod rules;

use std::path::Path;

pub(super) use check::Resumed;
pub(super) use position::EpochPosition;

use super::events::EventKind;
use super::{Fit, FitError, RunState};
use crate::Error;
use crate::checkpoint::{BEST, Checkpoint, CheckpointError, LAST, STATE, SavedCallback, SavedState};
use crate::random::RandomStates;
use thaw_data::Split;
use thaw_optim::scheduler::RunLength;

impl Fit {
    /// Takes off what the run directory has of what came after the checkpoint, which does not count.
    ///
    /// # Errors
    /// Records are missing, or the disk is full.
    pub(super) fn go_back_to(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.tell(EventKind::Resumed { checkpoint: checkpoint.folder() })?;
        let state = &mut self.state;
        let was_last = state
            .kept
            .store
            .name_of(checkpoint)
            .is_some_and(|name| state.kept.store.target_of(LAST) == Some(name));
        match &state.kept.best {
            Some(best) => state.kept.store.alias(BEST, &best.name)?,
            None => state.kept.store.remove_alias(BEST)?,
        }
        if let Some(name) = state.kept.store.name_of(checkpoint) {
            state.kept.store.alias(LAST, &name)?;
        }
        // From an earlier one, those after it stay until the run goes on from `last` again.
        if was_last {
            state.kept.store.sweep(|name| state.is_kept(name))?;
        }
        if self.state.kept.swaps.is_empty() { Ok(()) } else { self.write_swaps() }
    }

    /// The state of strategies and callbacks, each to the one with its id.
    pub(super) fn restore_callbacks(&mut self, saved: &[SavedCallback], folder: &Path) -> Result<(), Error> {
        let mut saved: Vec<&SavedCallback> = saved.iter().collect();
        for callback in &mut self.callbacks {
            let Some(index) = saved.iter().position(|saved| saved.id == callback.id()) else {
                let id = callback.id();
                self.state
                    .warnings
                    .warn(format_args!("the checkpoint has no state of `{id}`: it starts anew"));
                continue;
            };
            callback.load_state(&saved.remove(index).state)?;
        }
        if let Some(left) = saved.first() {
            let reason = format!(
                "it has state of `{}`, which the run config does not name under [[callbacks]]",
                left.id
            );
            return Err(CheckpointError::State { path: folder.join(STATE), reason }.into());
        }
        Ok(())
    }
}

impl RunState {
    /// What is trained, and the random numbers that training goes on with.
    pub(super) fn restore_trained(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let tensors = checkpoint.optimizer()?;
        let random = RandomStates::of_checkpoint(&tensors, self.trained.model.device(), self.world.rank());
        self.trained.restore(checkpoint, tensors)?;
        // A checkpoint of fewer processes has none for this one.
        if random.is_empty() {
            return self.draw_own_numbers(checkpoint.state.position.global_step);
        }
        Ok(random.put_back()?)
    }

    /// Everything else, after hooks that see a run which begins.
    pub(super) fn restore_run(&mut self, checkpoint: &Checkpoint, resumed: &Resumed) -> Result<(), Error> {
        // `given` is compared with what is given now, and observers take theirs, before this.
        let SavedState {
            format: _,
            thaw: _,
            files: _,
            position,
            given: _,
            trained: _,
            callbacks: _,
            measured,
            requests,
            prefix,
            kept,
            observed: _,
        } = &checkpoint.state;
        self.position.restore(position, resumed.position, self.data.batch_size(Split::Train));
        self.follow_length(position.length.clone().unwrap_or_else(|| resumed.length.clone()), resumed)?;
        self.measured.restore(measured);
        self.requests.restore(requests);
        self.kept.restore(kept, checkpoint.folder())?;
        // What is still there, the first process has looked at.
        let (best, ranked) = (self.kept.best.take(), std::mem::take(&mut self.kept.ranked));
        (self.kept.best, self.kept.ranked) =
            self.world.hear_first("the checkpoints of the run", (best, ranked))?;
        self.watched.begin_anew();
        self.prefix.restore(prefix);
        Ok(())
    }

    /// The run may have another length now, and its epochs other numbers of steps.
    fn follow_length(&mut self, was: RunLength, resumed: &Resumed) -> Result<(), FitError> {
        let (epoch, window) = (self.position.progress.epoch, self.window());
        self.position.extra_steps = was.extra_steps;
        let now = self.run_length();
        if (was.steps_per_epoch, &was.later) != (now.steps_per_epoch, &now.later) {
            let before = was.steps_before(epoch) + resumed.steps;
            let as_of_now = now.steps_before(epoch) + self.position.progress.batch_index.div_ceil(window);
            self.position.extra_steps += before as i64 - as_of_now as i64;
        }
        let now = self.run_length();
        let (Some(scheduler), Some(optimizer)) = (&mut self.trained.scheduler, &mut self.trained.optimizer)
        else {
            return Ok(());
        };
        let id = scheduler.config().schedule.id();
        if scheduler.is_a_strategys() {
            if was != now && scheduler.spans_the_run() {
                self.warnings.warn(format_args!(
                    "schedule `{id}` was begun by a strategy for the length that the run had then, and keeps \
                     it"
                ));
            }
        } else if scheduler.set_length(was.clone(), now.clone(), optimizer.groups_mut())? {
            let rates = optimizer.groups().iter().map(|group| format!("{} {:.3e}", group.name, group.lr));
            tracing::info!(
                "schedule `{id}` spans the run, which has {} epochs and {} steps now, and had {} and {}: it \
                 goes on at {}",
                now.max_epochs,
                now.steps(),
                was.max_epochs,
                was.steps(),
                rates.collect::<Vec<_>>().join(", ")
            );
        }
        Ok(())
    }
}
