//! Going on from a checkpoint: what it is resumed with is compared with what it was, then everything is put back.

mod changes;
mod check;
mod error;
mod journal;
mod position;
mod rules;

use tch::{Device, Tensor};
use thaw_plugin_api::hook::Hook;

pub(super) use check::Resumed;
pub use error::ResumeError;

use super::checkpoints::{RANDOM_CPU, RANDOM_CUDA};
use super::events::EventKind;
use super::{Best, Fit, FitError};
use crate::Error;
use crate::checkpoint::{BEST, Checkpoint, CheckpointError, LAST};
use crate::model::load_checkpoint;
use crate::optimizer::Optimizer;
use crate::scheduler::{RunLength, Scheduler};
use crate::torch::random;

impl Fit {
    /// Puts everything back: weights, freeze state, groups, optimizer, schedulers, callbacks, random numbers,
    /// position.
    ///
    /// # Errors
    /// The checkpoint is another run's, or damaged.
    pub(super) fn restore(&mut self, checkpoint: &Checkpoint, resumed: &Resumed) -> Result<(), Error> {
        let saved = &checkpoint.state;
        load_checkpoint(&mut self.state.model, checkpoint)?;
        self.restore_optimizer(checkpoint)?;
        self.restore_callbacks(checkpoint)?;
        let state = &mut self.state;
        state.progress.epoch = saved.epoch;
        state.progress.batch_index = resumed.batch;
        state.progress.global_step = saved.global_step;
        state.samples = saved.samples_of_run();
        self.follow_length(saved.length.unwrap_or(resumed.length), resumed)?;
        let state = &mut self.state;
        state.metrics.clone_from(&saved.metrics);
        state.known_metrics = saved.known_metrics.iter().chain(saved.metrics.keys()).cloned().collect();
        state.meter = saved.meter.clone();
        state.loss = saved.loss;
        state.used_rates.clone_from(&saved.used_rates);
        state.requests.logged.clone_from(&saved.logged);
        state.requested.clone_from(&saved.requested);
        if let Some(earlier) = checkpoint.folder().parent() {
            // Of another run directory, perhaps: a strategy may restore them in this one.
            let needed = saved
                .requested
                .iter()
                .map(|name| &**name)
                .chain(saved.best.as_ref().map(|best| best.name.as_str()));
            needed.into_iter().try_for_each(|name| state.store.copy(&earlier.join(name)))?;
        }
        let is_here = |best: &&Best| state.store.folder().join(&best.name).is_dir();
        state.best = saved.best.as_ref().filter(is_here).cloned();
        state.kept = saved.kept.iter().filter(is_here).cloned().collect();
        if let (Some(scaler), Some(saved)) = (&mut state.scaler, &saved.loss_scale) {
            scaler.restore(saved)?;
        }
        state.changed = false;
        Ok(())
    }

    /// Takes off what the run directory has of what came after the checkpoint, which does not count.
    ///
    /// # Errors
    /// Records are missing, or the disk is full.
    pub(super) fn go_back_to(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.tell(EventKind::Resumed { checkpoint: checkpoint.folder() })?;
        let state = &mut self.state;
        let was_last =
            state.store.name_of(checkpoint).is_some_and(|name| state.store.target_of(LAST) == Some(name));
        match &state.best {
            Some(best) => state.store.alias(BEST, &best.name)?,
            None => state.store.remove_alias(BEST)?,
        }
        if let Some(name) = state.store.name_of(checkpoint) {
            state.store.alias(LAST, &name)?;
        }
        // From an earlier one, those after it stay until the run goes on from `last` again.
        if was_last {
            state.store.sweep(|name| state.is_kept(name))?;
        }
        if self.state.swaps.is_empty() { Ok(()) } else { self.write_swaps() }
    }

    /// The run may have another length now, and its epochs other numbers of steps.
    fn follow_length(&mut self, was: RunLength, resumed: &Resumed) -> Result<(), FitError> {
        let state = &mut self.state;
        let (epoch, window) = (state.progress.epoch, state.config.trainer.accumulate_grad_batches);
        state.extra_steps = was.extra_steps;
        let steps_per_epoch = state.run_length().steps_per_epoch;
        if was.steps_per_epoch != steps_per_epoch {
            let before = epoch * was.steps_per_epoch + resumed.steps;
            let as_of_now = epoch * steps_per_epoch + resumed.batch.div_ceil(window);
            state.extra_steps += before as i64 - as_of_now as i64;
        }
        let now = state.run_length();
        let (Some(scheduler), Some(optimizer)) = (&mut state.scheduler, &mut state.optimizer) else {
            return Ok(());
        };
        let id = scheduler.config().schedule.id();
        if scheduler.is_a_strategys() {
            if was != now && scheduler.spans_the_run() {
                state.warnings.warn(format_args!(
                    "schedule `{id}` was begun by a strategy for the length that the run had then, and keeps it"
                ));
            }
        } else if scheduler.set_length(was, now, optimizer.groups_mut())? {
            let rates = optimizer.groups().iter().map(|group| format!("{} {:.3e}", group.name, group.lr));
            tracing::info!(
                "schedule `{id}` spans the run, which has {} epochs and {} steps now, and had {} and {}: it goes on at {}",
                now.max_epochs,
                now.steps(),
                was.max_epochs,
                was.steps(),
                rates.collect::<Vec<_>>().join(", ")
            );
        }
        Ok(())
    }

    fn restore_optimizer(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        let state = &mut self.state;
        let tensors = checkpoint.optimizer()?;
        let random = |name: &str| {
            tensors.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.shallow_clone())
        };
        let (cpu, cuda) = (random(RANDOM_CPU), random(RANDOM_CUDA));
        if let Some(optimizer) = &mut state.optimizer {
            if let Some(config) = &checkpoint.state.optimizer {
                optimizer.replace(config.clone()).map_err(FitError::from)?;
                state.scheduler.iter_mut().for_each(|scheduler| scheduler.follow(optimizer));
            }
            optimizer.set_groups(checkpoint.state.groups.clone()).map_err(FitError::from)?;
            restore_optimizer_state(optimizer, tensors, state.model.device())?;
            if let Some(saved) = &checkpoint.state.scheduler {
                let replacement =
                    Scheduler::replacement(saved, optimizer.config()).map_err(FitError::from)?;
                state.scheduler = replacement.or(state.scheduler.take());
            }
        }
        if let (Some(scheduler), Some(saved)) = (&mut state.scheduler, &checkpoint.state.scheduler) {
            scheduler.load_state(saved).map_err(FitError::from)?;
        }
        if let Some(cpu) = cpu {
            random::set_state(Device::Cpu, &cpu)?;
        }
        if let Some(cuda) = cuda.filter(|_| state.model.device().is_cuda()) {
            random::set_state(state.model.device(), &cuda)?;
        }
        Ok(())
    }

    fn restore_callbacks(&mut self, checkpoint: &Checkpoint) -> Result<(), Error> {
        self.hooks(Hook::LoadCheckpoint)?;
        let mut saved = checkpoint.state.callbacks.clone();
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
            return Err(CheckpointError::State {
                path: checkpoint.folder().join(crate::checkpoint::STATE),
                reason,
            }
            .into());
        }
        Ok(())
    }
}

/// Takes over the optimizer's part of a checkpoint's tensors.
pub(super) fn restore_optimizer_state(
    optimizer: &mut Optimizer,
    tensors: Vec<(String, Tensor)>,
    device: Device,
) -> Result<(), FitError> {
    let own = tensors.into_iter().filter(|(name, _)| ![RANDOM_CPU, RANDOM_CUDA].contains(&name.as_str()));
    let moved = own.map(|(name, tensor)| {
        // Step counters live on the CPU, moments beside their parameters.
        let tensor = if name.ends_with("/step") { tensor } else { tensor.f_to_device(device)? };
        Ok((name, tensor))
    });
    let moved: Vec<_> =
        moved.collect::<Result<_, _>>().map_err(super::error::torch("moving optimizer state"))?;
    Ok(optimizer.load_state_dict(moved)?)
}
