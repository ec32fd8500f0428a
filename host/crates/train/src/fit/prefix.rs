//! The frozen prefix, computed once (`trainer.frozen_cache`).
//!
//! Stages of a model before which nothing trains, in a fixed mode, give the same for a sample in every epoch.
//! What they give is computed in a pass of its own: by the samples' numbers, in batches that are always the
//! same, so that a run which goes on from a checkpoint gets the same bits. Batches of training and of
//! validation then start from it. Where that cannot be, or in doubt, they start from the samples, and the run
//! says why.
//!
//! What a split starts from is decided before each of its passes, by the run's state alone: checkpoints keep
//! it, and not what was computed. Tensors that the prefix reads are watched: once somebody writes into one,
//! what was computed counts no more, and batches are read anew from there on.

mod boundary;
mod fill;
mod hindrance;
mod key;
mod probe;
mod processes;
mod shared;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use hindrance::Hindrance;
pub(super) use watch::Watch;

use super::arrival::to_device;
use super::events::{CacheStart, EventKind};
use super::step::{Fed, Loaded};
use super::{Fit, FitError, RunState};
use crate::Error;
use crate::config::FrozenCache;
use boundary::boundary;
use thaw_data::{Dataset, Split, Varies};
use thaw_plugin_api::model::{Batch, Task};

/// What the stages before `cut` gave for the samples of a split.
pub struct Entries {
    /// How many stages that are.
    pub cut: usize,
    /// By the augmented view of the samples; 0 where there is one input of each. None in a resumed run until
    /// the next pass begins: its checkpoint says that there were some, and whoever writes into the prefix
    /// meanwhile does so as in a run that was not interrupted.
    pub(super) features: BTreeMap<u64, Arc<dyn Dataset>>,
    pub(super) watch: Watch,
}

/// What a pass over a split starts from.
pub(super) type StandIn = (usize, Arc<dyn Dataset>);

impl Fit {
    /// What stands in for the samples of a split in the pass that begins; none where it starts from them.
    ///
    /// # Errors
    /// The data, the model or an observer fails; or `trainer.frozen_cache = "on"` cannot be had.
    pub(super) fn stand_in(&mut self, split: Split) -> Result<Option<StandIn>, Error> {
        self.state.note_writes();
        if split == Split::Train {
            // What thaws in this epoch is written into from its first step on.
            self.follow_freeze_state(&[Split::Val])?;
        }
        let decided = self.decide(split);
        let cut = match decided {
            Ok(cut) => cut,
            Err(hindrance) => return self.without(split, &hindrance).map(|()| None),
        };
        let epoch = self.state.progress().epoch;
        let view = self.state.data.views(split).map(|views| (epoch as u64 % views, views));
        let number = view.map_or(0, |(view, _)| view);
        let is_there = |entries: &Entries| entries.cut == cut && entries.features.contains_key(&number);
        if !self.state.prefix.entries(split).is_some_and(is_there) {
            let is_with_others = |entries: &Entries| entries.cut == cut && !entries.features.is_empty();
            let others = self.state.prefix.take(split).filter(is_with_others);
            match self.fill(split, cut, view)? {
                Ok(mut entries) => {
                    if let Some(others) = others {
                        // Watched since the first of them was computed.
                        entries.watch = others.watch;
                        entries.features.extend(others.features);
                    }
                    self.state.prefix.keep(split, entries);
                }
                Err(hindrance) => {
                    self.state.prefix.refused.insert((split == Split::Train, cut), hindrance.clone());
                    return self.without(split, &hindrance).map(|()| None);
                }
            }
        }
        self.state.prefix.decided.of_mut(split).serve(epoch, cut);
        let entries = self.state.prefix.entries(split);
        Ok(entries.and_then(|entries| entries.features.get(&number).cloned()).map(|features| (cut, features)))
    }

    /// How many stages are left out.
    fn decide(&self, split: Split) -> Result<usize, Hindrance> {
        let state = &self.state;
        let mode = state.config.trainer.frozen_cache;
        if mode == FrozenCache::Off {
            return Err(Hindrance::Off);
        }
        let available = state.available_cut(split)?;
        let before = state.prefix.decided.of(split);
        if split == Split::Train && before.epoch == Some(state.progress().epoch) {
            // The epoch goes on as it began.
            return before.cut.filter(|cut| *cut <= available).ok_or(Hindrance::Before);
        }
        let goes_on = before.cut == Some(available);
        if goes_on || mode == FrozenCache::On || state.cache_pays(split) {
            return Ok(available);
        }
        Err(Hindrance::TooFew)
    }

    /// The pass starts from the samples.
    fn without(&mut self, split: Split, hindrance: &Hindrance) -> Result<(), Error> {
        let epoch = self.state.progress().epoch;
        self.state.prefix.forget(split);
        let is_served = self.state.prefix.decided.of(split).cut.is_some();
        self.state.prefix.decided.of_mut(split).pass_by(epoch);
        if self.state.config.trainer.frozen_cache == FrozenCache::On && hindrance.ends_run() {
            return Err(FitError::FrozenCache { reason: hindrance.to_string() }.into());
        }
        self.tell_without(split, hindrance, is_served)
    }

    fn tell_without(&mut self, split: Split, hindrance: &Hindrance, is_served: bool) -> Result<(), Error> {
        let reason = hindrance.to_string();
        if *self.state.prefix.told_of_mut(split) == reason {
            return Ok(());
        }
        self.state.prefix.told_of_mut(split).clone_from(&reason);
        let what = if split == Split::Train { "training" } else { "validation" };
        if !is_served && !hindrance.is_worth_telling() {
            tracing::debug!("frozen cache: {what} starts from the samples: {reason}");
            return Ok(());
        }
        tracing::info!("frozen cache: {what} starts from the samples: {reason}");
        self.tell(EventKind::FrozenCache { split, start: CacheStart::Samples { reason: &reason } })
    }

    /// Freeze state may have changed: what trains now was not computed for good.
    pub(super) fn follow_freeze_state(&mut self, splits: &[Split]) -> Result<(), Error> {
        for &split in splits {
            let Some(cut) = self.state.prefix.entries(split).map(|entries| entries.cut) else { continue };
            let hindrance = match self.state.available_cut(split) {
                Ok(available) if available >= cut => continue,
                // The next validation starts from a boundary before that one.
                Ok(_) if split == Split::Val => None,
                Ok(_) => Some(Hindrance::Before),
                Err(hindrance) => Some(hindrance),
            };
            self.state.prefix.forget(split);
            self.state.prefix.decided.of_mut(split).cut = None;
            if let Some(hindrance) = hindrance {
                self.tell_without(split, &hindrance, true)?;
            }
        }
        Ok(())
    }

    /// Brings a batch to the device.
    pub(super) fn load_fed(&mut self, fed: Fed) -> Result<Loaded, Error> {
        let Fed { batch, start } = fed;
        let samples = batch.len();
        let indices = batch.indices.clone();
        self.check_labels(&batch)?;
        let loaded = self.bring(batch);
        let (batch, _) = loaded.map_err(|error| self.state.explain_memory(error, samples))?;
        let (of_all, share) = (samples, 1.0);
        Ok(Loaded { batch, samples, of_all, share, loss: None, tape: None, rates: None, start, indices })
    }

    /// Looks at a batch's labels, of the split or validation set that it is of.
    fn check_labels(&mut self, batch: &thaw_data::Batch) -> Result<(), Error> {
        let state = &mut self.state;
        let split = if self.now.validated.is_some() { Split::Val } else { Split::Train };
        let set = state.position.progress.validation_set.checked_sub(1);
        let data = match set {
            Some(set) => state.data.further_sets().get(set).map(|set| set.data().samples()),
            None => state.data.dataset(split),
        };
        let name = |row: usize| {
            let index = batch.indices.get(row).copied().unwrap_or_default();
            data.map_or_else(
                || index.to_string(),
                |data| thaw_terminal::escape::shorten(&data.id(index)).into(),
            )
        };
        Ok(state.trained.model.check_labels(batch.targets.as_ref(), name)?)
    }

    /// The samples of a batch whose features count no more; none where they do.
    pub(super) fn read_anew(&mut self, split: Split, loaded: &Loaded) -> Result<Option<Batch>, Error> {
        if loaded.start == 0 || loaded.indices.is_empty() {
            return Ok(None);
        }
        self.state.note_writes();
        if self.state.prefix.entries(split).is_some_and(|entries| entries.cut == loaded.start) {
            return Ok(None);
        }
        let epoch = self.state.progress().epoch as u64;
        let batch = self.state.data.batch(split, epoch, &loaded.indices)?;
        Ok(Some(to_device(batch, self.state.trained.model.device())?.0))
    }

    /// Values that changed without a trace in the tensors' versions: batches came from what is not so.
    pub(super) fn check_prefix(&mut self) -> Result<(), Error> {
        self.state.note_writes();
        let look = self.state.look_after_epoch();
        for split in [Split::Train, Split::Val] {
            let Some(entries) = self.state.prefix.entries(split) else { continue };
            if let Some(tensors) = entries.watch.moved(look)? {
                return Err(FitError::FrozenCacheStale { tensors }.into());
            }
        }
        Ok(())
    }
}

impl RunState {
    /// The deepest boundary that a split can start from, by what is known without computing.
    fn available_cut(&self, split: Split) -> Result<usize, Hindrance> {
        if let Some(tensor) = &self.prefix.decided.written {
            return Err(Hindrance::Written { tensor: tensor.clone() });
        }
        let model = &self.trained.model;
        let cut = boundary(model.tree(), model.stages(), split)?;
        if model.task() == Task::Reconstruction {
            return Err(Hindrance::Reconstruction);
        }
        match self.data.varies(split) {
            Some(Varies::Augmented) => return Err(Hindrance::Augmented),
            Some(Varies::Padded) => return Err(Hindrance::Padded),
            None => {}
        }
        match self.prefix.refused.get(&(split == Split::Train, cut)) {
            Some(hindrance) => Err(hindrance.clone()),
            None => Ok(cut),
        }
    }

    /// Whether an epoch passes at least half of the samples that would be computed: that costs about as much
    /// as one epoch without. How many epochs are to come is not asked, so that a run which goes on for more
    /// of them gets the same bits as one that was to have them from the start.
    fn cache_pays(&self, split: Split) -> bool {
        let (progress, trainer) = (self.progress(), &self.config.trainer);
        let batches = match split {
            Split::Train => {
                let of_run = trainer.max_steps.map(|steps| steps.saturating_mul(self.window()));
                progress.num_training_batches.min(of_run.unwrap_or(usize::MAX))
            }
            Split::Val => progress.num_validation_batches,
        };
        batches.saturating_mul(self.data.batch_size(split)).saturating_mul(2) >= self.data.samples(split)
    }

    /// Watches what a checkpoint says was computed, before it is so again.
    pub(super) fn watch_decided(&mut self) {
        for split in [Split::Train, Split::Val] {
            let Some(cut) = self.prefix.decided.of(split).cut else { continue };
            if self.prefix.entries(split).is_none() && cut < self.trained.model.stages().len() {
                let watch = self.watch_before(cut);
                self.prefix.keep(split, Entries { cut, features: BTreeMap::new(), watch });
            }
        }
    }

    /// Drops what was computed before somebody wrote into a tensor that it was computed with. Nobody but a
    /// hook does that: the cache is off from here on, since it may do so again.
    pub(super) fn note_writes(&mut self) {
        let written = [Split::Train, Split::Val]
            .into_iter()
            .find_map(|split| self.prefix.entries(split)?.watch.written().map(str::to_owned));
        if let Some(tensor) = written {
            self.warnings.warn(format_args!(
                "a strategy or callback wrote into `{tensor}`, which the frozen cache was computed with: \
                 batches start from the samples again"
            ));
            self.prefix.forget_all();
            self.prefix.decided.written = Some(tensor);
        }
    }
}
