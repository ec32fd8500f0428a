//! When checkpoints are written, and which are kept.
//!
//! Larger ones are written by a thread ([`beside`]) while training goes on. One at most is on its way: the
//! next one, a validation, whoever restores one, and the end of the run wait for it, and then the run hears
//! how it went.

mod beside;

pub use beside::Writing;

use std::time::Instant;

use thaw_plugin_api::context::Progress;
use thaw_plugin_api::drive;
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::monitor::{Mode, is_of_validation, mode_of};

use super::events::{EventKind, LostCheckpoint, WrittenCheckpoint};
use super::{Fit, FitError, RunState};
use crate::Error;
use crate::checkpoint::{BEST, Best, CheckpointError, LAST, SavedCallback, Snapshot};
use crate::config::CheckpointWrite;
use beside::{Ranking, Saving, begin, copied, is_beside, write};

impl Fit {
    /// The checkpoint at the end of an epoch: `last`, and `best` where it is.
    pub(super) fn checkpoint_epoch(&mut self, epoch: usize) -> Result<(), Error> {
        // Before `last`, whose states may speak of them.
        self.requested_checkpoints()?;
        let config = &self.state.config.checkpoint;
        let is_last = epoch + 1 == self.state.config.trainer.max_epochs || self.is_to_stop();
        if !config.enabled || (!(epoch + 1).is_multiple_of(config.every_n_epochs) && !is_last) {
            return Ok(());
        }
        self.save_ranked(epoch)
    }

    /// The checkpoint after a validation inside an epoch: `last`, and `best` where it is.
    pub(super) fn checkpoint_validated(&mut self) -> Result<(), Error> {
        let (config, epoch) = (&self.state.config.checkpoint, self.state.progress().epoch);
        if !config.enabled || !(epoch + 1).is_multiple_of(config.every_n_epochs) {
            return Ok(());
        }
        self.save_ranked(epoch)
    }

    /// Writes a checkpoint as `last`, ranks it, and removes those that are kept no more.
    fn save_ranked(&mut self, epoch: usize) -> Result<(), Error> {
        self.settle_checkpoint()?;
        let name = format!("epoch={epoch}-step={}", self.state.progress().global_step);
        let ranked = self.rank(&name, epoch)?;
        let mode = self.ranking_mode()?;
        let is_best = ranked.as_ref().is_some_and(|new| {
            let is_better = |best: &Best| mode.is_better(new.value, best.value);
            new.value.is_finite() && self.state.kept.best.as_ref().is_none_or(is_better)
        });
        // The checkpoint says itself whether it is the best and which are kept; one that was not written is
        // neither.
        let before = (self.state.kept.best.clone(), self.state.kept.ranked.clone());
        if is_best {
            self.state.kept.best.clone_from(&ranked);
        }
        let dropped = ranked.map(|ranked| self.keep(ranked, mode)).unwrap_or_default();
        self.save(name, is_best, Some(Ranking { before, dropped }))
    }

    /// After a stop inside an epoch: the checkpoint of it may be the best one.
    pub(super) fn mark_best(&mut self) -> Result<(), Error> {
        self.settle_checkpoint()?;
        // One that was not written is not what `last` names.
        if self.state.kept.lost.contains_key(LAST) {
            return Ok(());
        }
        let Some(name) =
            self.state.kept.store.target_of(LAST).filter(|_| self.state.config.checkpoint.enabled)
        else {
            return Ok(());
        };
        let Some(ranked) = self.rank(&name, self.state.progress().epoch)? else { return Ok(()) };
        let mode = self.ranking_mode()?;
        let is_worse = |best: &Best| !mode.is_better(ranked.value, best.value);
        if !ranked.value.is_finite() || self.state.kept.best.as_ref().is_some_and(is_worse) {
            return Ok(());
        }
        let result = self.state.kept.store.alias(BEST, &name);
        if self.written(&name, BEST, result)? {
            self.state.kept.best = Some(ranked);
            self.tell_written(&self.state.progress(), &name, true, false, 0.0)?;
        }
        Ok(())
    }

    /// A checkpoint between two batches, as `last`.
    pub(super) fn checkpoint_inside_epoch(&mut self) -> Result<(), Error> {
        if !self.state.config.checkpoint.enabled {
            return Ok(());
        }
        let name =
            format!("epoch={}-step={}", self.state.progress().epoch, self.state.progress().global_step);
        self.save(name, false, None)
    }

    /// Whether what the run ends with is on disk.
    ///
    /// # Errors
    /// The last checkpoint was not written, or one that a hook asked for; or somebody removed the folder.
    pub(super) fn check_written(&mut self) -> Result<(), Error> {
        self.settle_checkpoint()?;
        if self.state.kept.lost.is_empty() {
            return Ok(self.state.kept.run_dir.check_there()?);
        }
        let lost = self.state.kept.lost.iter().map(|(name, reason)| (name.clone(), reason.clone())).collect();
        Err(FitError::LostCheckpoints { lost, on_disk: self.state.kept.store.target_of(LAST) }.into())
    }

    /// Whether all records of a run that is over are on disk.
    ///
    /// # Errors
    /// Some are not: what the run came to cannot be looked up.
    pub(super) fn check_records(&self) -> Result<(), Error> {
        let lost = self.observers.lost().to_vec();
        if lost.is_empty() {
            return Ok(());
        }
        Err(FitError::LostRecords { lost, on_disk: self.state.kept.store.target_of(LAST) }.into())
    }

    /// Why a run ends that the user stops: what is to go on with has to be on disk.
    pub(super) fn interrupted(&mut self) -> Error {
        self.check_written().err().unwrap_or(Error::Interrupted)
    }

    /// Those that hooks asked for after the checkpoint that a resumed run goes on from. What it may put back
    /// then stays.
    pub(super) fn requested_after_last(&mut self) -> Result<(), Error> {
        let (requested, warnings) = (&self.state.kept.requested, &self.state.warnings);
        self.state.requests.checkpoints.retain(|name| {
            let is_new = !requested.contains(name);
            if !is_new {
                warnings.warn(format_args!(
                    "checkpoint `{name}` is not written anew: the run ends inside an epoch, and goes on with \
                     the one there is"
                ));
            }
            is_new
        });
        self.requested_checkpoints()
    }

    /// Checkpoints that hooks asked for, under their names.
    pub(super) fn requested_checkpoints(&mut self) -> Result<(), Error> {
        self.update_batch_norms()?;
        if !self.state.config.checkpoint.enabled {
            for name in std::mem::take(&mut self.state.requests.checkpoints) {
                self.state.warnings.warn(format_args!(
                    "checkpoint `{name}`, which a hook asks for, is not written: checkpoint.enabled = false"
                ));
            }
            return Ok(());
        }
        for name in std::mem::take(&mut self.state.requests.checkpoints) {
            self.settle_checkpoint()?;
            let start = Instant::now();
            self.state.kept.requested.insert(name.clone());
            let snapshot = self.snapshot()?;
            let result = self.state.kept.store.save(&name, snapshot).map(drop);
            if self.written(&name, &name, result)? {
                let waited = start.elapsed().as_secs_f64();
                self.tell_written(&self.state.progress(), &name, false, true, waited)?;
            }
        }
        Ok(())
    }

    /// The checkpoint with its value; none where no checkpoint is kept for it, or where these weights have
    /// none: in an epoch that does not validate there is no `val_loss`.
    ///
    /// # Errors
    /// A metric of which nobody knows which way it improves.
    fn rank(&self, name: &str, epoch: usize) -> Result<Option<Best>, Error> {
        if self.state.config.checkpoint.save_top_k == 0 {
            return Ok(None);
        }
        let monitor = self.state.ranking_metric();
        let is_old = is_of_validation(&monitor)
            && self.state.measured.validated_at != Some(self.state.progress().global_step);
        let Some(value) = self.state.measured.metrics.get(&monitor).copied().filter(|_| !is_old) else {
            return Ok(None);
        };
        let classes = self
            .state
            .measured
            .validation
            .as_ref()
            .map(|validation| validation.classes.clone())
            .unwrap_or_default();
        if !value.is_finite() {
            self.state.warnings.warn(format_args!(
                "{monitor} is {value} in epoch {}: its checkpoint ranks last, and is not the best one",
                epoch + 1
            ));
        }
        Ok(Some(Best { name: name.to_owned(), monitor, value, epoch, classes }))
    }

    /// Which way the metric improves that ranks checkpoints; without meaning where none does.
    fn ranking_mode(&self) -> Result<Mode, Error> {
        let checkpoint = &self.state.config.checkpoint;
        if checkpoint.save_top_k == 0 {
            return Ok(Mode::Min);
        }
        let mode = mode_of(&self.state.ranking_metric(), checkpoint.mode);
        mode.map_err(|error| FitError::Config(format!("checkpoint.monitor: {error}")).into())
    }

    /// Writes a checkpoint as `last`, or begins to.
    fn save(&mut self, name: String, is_best: bool, ranking: Option<Ranking>) -> Result<(), Error> {
        self.timed("save_checkpoint", |fit| fit.save_last(name, is_best, ranking))
    }

    fn save_last(&mut self, name: String, is_best: bool, ranking: Option<Ranking>) -> Result<(), Error> {
        self.settle_checkpoint()?;
        let (start, progress) = (Instant::now(), self.state.progress());
        let settled = std::mem::take(&mut self.now.settled);
        let previous = self.state.kept.store.target_of(LAST);
        let mut snapshot = self.snapshot()?;
        let mut saving = Saving { name, is_best, previous, progress, waited: 0.0, ranking };
        // Several processes hear of it together, where all are at the same place.
        if self.state.world.is_single() && is_beside(&self.state.config.checkpoint, &snapshot) {
            snapshot = copied(snapshot)?;
            saving.waited = (settled + start.elapsed()).as_secs_f64();
            let writing = begin(&self.state.kept.store, snapshot, saving);
            self.state.kept.writing = Some(writing.map_err(no_thread)?);
            return Ok(());
        }
        let result = write(&self.state.kept.store, &saving.name, snapshot, is_best);
        saving.waited = (settled + start.elapsed()).as_secs_f64();
        self.saved(saving, result)
    }

    /// Says that several processes do not have what was asked for.
    pub(super) fn warn_of_waiting_processes(&self) {
        if self.state.config.checkpoint.write == CheckpointWrite::Beside && !self.state.world.is_single() {
            self.state.warnings.warn(
                "checkpoint.write = \"beside\" is for runs of one process: in this one training waits until \
                 a checkpoint is on disk",
            );
        }
    }

    /// Hears of the checkpoint that is on its way, where that is done.
    pub(super) fn look_at_checkpoint(&mut self) -> Result<(), Error> {
        match &self.state.kept.writing {
            Some(writing) if writing.is_done() => self.settle_checkpoint(),
            _ => Ok(()),
        }
    }

    /// Waits for the checkpoint that is on its way, and hears how it went.
    pub(super) fn settle_checkpoint(&mut self) -> Result<(), Error> {
        let Some(writing) = self.state.kept.writing.take() else { return Ok(()) };
        let start = Instant::now();
        let (saving, result) = writing.finish();
        self.now.settled += start.elapsed();
        self.saved(saving, result)
    }

    /// A checkpoint is written as `last`, or is not.
    fn saved(&mut self, saving: Saving, result: Result<(), CheckpointError>) -> Result<(), Error> {
        let Saving { name, is_best, previous, progress, waited, ranking } = saving;
        let is_written = self.written(&name, LAST, result)?;
        if is_written {
            self.tell_written(&progress, &name, is_best, false, waited)?;
        }
        if is_best {
            // Until there is a better one that is written, the run does not have what it is to end with.
            self.state.kept.lost.remove(BEST);
            let reason = self.state.kept.lost.get(LAST).cloned();
            reason.into_iter().for_each(|reason| drop(self.state.kept.lost.insert(BEST.to_owned(), reason)));
        }
        if is_written
            && let Some(previous) =
                previous.filter(|previous| *previous != name && !self.state.is_kept(previous))
        {
            self.remove(&previous);
        }
        match ranking {
            Some(ranking) if is_written => ranking.dropped.iter().for_each(|one| self.remove(&one.name)),
            Some(ranking) => (self.state.kept.best, self.state.kept.ranked) = ranking.before,
            None => {}
        }
        Ok(())
    }

    /// A checkpoint that cannot be removed takes room, and does no other harm.
    fn remove(&self, name: &str) {
        if let Err(error) = self.state.kept.store.remove(name) {
            self.state.warnings.warn(format_args!("checkpoint `{name}` is not removed: {error}"));
        }
    }

    /// A checkpoint that cannot be written does not end the run: the one before is intact. A run whose last
    /// one of its `kind` (`last`, `best`, a hook's name) is not written ends with an error.
    fn written(
        &mut self,
        name: &str,
        kind: &str,
        result: Result<(), CheckpointError>,
    ) -> Result<bool, Error> {
        self.state.kept.lost.remove(kind);
        let reason = result.err().map(|error| error.to_string());
        let Some(reason) = self.hear_of_checkpoint(name, reason)? else { return Ok(true) };
        let last = self.state.kept.store.target_of(LAST);
        let previous = match &last {
            Some(name) => format!("the previous one, `{name}`, is intact"),
            None => "there is none before it".to_owned(),
        };
        tracing::error!("checkpoint `{name}` is not written: {reason}; the run goes on, {previous}");
        let lost = LostCheckpoint { name, reason: &reason, last: last.as_deref() };
        self.observers.tell(&self.state.position.progress, EventKind::CheckpointLost(lost))?;
        self.state.kept.lost.insert(kind.to_owned(), reason);
        Ok(false)
    }

    fn tell_written(
        &mut self,
        progress: &Progress,
        name: &str,
        is_best: bool,
        is_requested: bool,
        waited: f64,
    ) -> Result<(), Error> {
        let path = self.state.kept.store.folder().join(name);
        let written = WrittenCheckpoint { name, path: &path, is_best, is_requested, waited };
        Ok(self.observers.tell(progress, EventKind::CheckpointWritten(written))?)
    }

    /// Takes a checkpoint among the `save_top_k` best; gives those that are so no more.
    fn keep(&mut self, ranked: Best, mode: Mode) -> Vec<Best> {
        let top = self.state.config.checkpoint.save_top_k;
        self.state.kept.ranked.push(ranked);
        let rank =
            |best: &Best| if best.value.is_nan() { mode.worst() } else { best.value } * mode.direction();
        self.state.kept.ranked.sort_by(|a, b| rank(b).total_cmp(&rank(a)));
        match usize::try_from(top) {
            Ok(top) => self.state.kept.ranked.split_off(top.min(self.state.kept.ranked.len())),
            Err(_) => Vec::new(),
        }
    }

    fn snapshot(&mut self) -> Result<Snapshot, Error> {
        // Of a loss that is not finite no checkpoint is to be written.
        self.state.settle()?;
        self.state.share_buffers("a checkpoint")?;
        self.state.check_weights()?;
        drive::hook(self, Hook::SaveCheckpoint)?;
        let observed = self.observers.save(&self.state.position.progress)?;
        let mut callbacks = Vec::with_capacity(self.callbacks.len());
        for callback in &mut self.callbacks {
            let state = callback.state()?;
            callbacks.push(SavedCallback {
                id: callback.id().to_owned(),
                plugin: callback.plugin().to_owned(),
                state,
            });
        }
        self.state.note_writes();
        self.state.snapshot(callbacks, observed)
    }
}

fn no_thread(error: std::io::Error) -> Error {
    FitError::Config(format!("checkpoint.write: no thread for it ({error}); \"at-once\" needs none")).into()
}

impl RunState {
    /// Whether a checkpoint is kept for its rank, or because a hook asked for it.
    pub(super) fn is_kept(&self, name: &str) -> bool {
        self.config.checkpoint.save_top_k < 0
            || self.kept.ranked.iter().any(|kept| kept.name == name)
            || self.kept.requested.iter().any(|requested| **requested == *name)
    }
}
