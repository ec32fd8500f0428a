//! What passes start from instead of the samples.

use std::collections::BTreeMap;

use crate::checkpoint::{SavedCut, SavedFrozenCache, SavedPrefix};
use crate::fit::prefix::{Entries, Hindrance};
use thaw_data::Split;

/// The frozen prefix, computed once: which stages passes leave out, and what those gave. Checkpoints keep the
/// former alone; a resumed run computes the latter again, to the same bits.
#[derive(Default)]
pub struct Prefix {
    /// What is decided of each split.
    pub decided: SavedFrozenCache,
    /// Boundaries that a look at the model or at the room refused: whether of training, and the boundary.
    pub refused: BTreeMap<(bool, usize), Hindrance>,
    train: Option<Entries>,
    val: Option<Entries>,
    /// What was told last of training and of validation.
    told: [String; 2],
}

impl Prefix {
    /// What was computed of a split.
    pub fn entries(&self, split: Split) -> Option<&Entries> {
        match split {
            Split::Train => self.train.as_ref(),
            Split::Val => self.val.as_ref(),
        }
    }

    fn entries_mut(&mut self, split: Split) -> &mut Option<Entries> {
        match split {
            Split::Train => &mut self.train,
            Split::Val => &mut self.val,
        }
    }

    /// Takes what was computed of a split.
    pub(in crate::fit) fn keep(&mut self, split: Split, entries: Entries) {
        *self.entries_mut(split) = Some(entries);
    }

    /// Takes what was computed of a split away.
    pub(in crate::fit) fn take(&mut self, split: Split) -> Option<Entries> {
        self.entries_mut(split).take()
    }

    /// Drops what was computed of a split.
    pub(in crate::fit) fn forget(&mut self, split: Split) {
        *self.entries_mut(split) = None;
    }

    /// Weights are others from here on. What an epoch that is under way has left starts from the samples.
    pub(in crate::fit) fn forget_all(&mut self) {
        for split in [Split::Train, Split::Val] {
            self.forget(split);
            self.decided.of_mut(split).cut = None;
        }
    }

    /// Why a split was last said to start from its samples.
    pub(in crate::fit) fn told_of_mut(&mut self, split: Split) -> &mut String {
        &mut self.told[usize::from(split == Split::Val)]
    }

    /// What a checkpoint keeps.
    pub(in crate::fit) fn save(&self) -> SavedPrefix {
        let Self { decided, refused: _, train: _, val: _, told: _ } = self;
        SavedPrefix { frozen_cache: decided.clone() }
    }

    /// Takes over what a checkpoint keeps, or what was held; weights are others then.
    pub(in crate::fit) fn restore(&mut self, saved: &SavedPrefix) {
        let SavedPrefix { frozen_cache } = saved;
        let Self { decided, refused, train, val, told: _ } = self;
        decided.clone_from(frozen_cache);
        refused.clear();
        (*train, *val) = (None, None);
    }
}

impl SavedFrozenCache {
    /// What is decided of a split.
    pub fn of(&self, split: Split) -> &SavedCut {
        match split {
            Split::Train => &self.train,
            Split::Val => &self.val,
        }
    }

    /// The same, to change it.
    pub fn of_mut(&mut self, split: Split) -> &mut SavedCut {
        match split {
            Split::Train => &mut self.train,
            Split::Val => &mut self.val,
        }
    }
}

impl SavedCut {
    /// A pass of this epoch starts after so many stages.
    pub fn serve(&mut self, epoch: usize, cut: usize) {
        *self = Self { epoch: Some(epoch), cut: Some(cut), used: Some(cut) };
    }

    /// A pass of this epoch starts from the samples.
    pub fn pass_by(&mut self, epoch: usize) {
        let used = self.used.filter(|_| self.epoch == Some(epoch));
        *self = Self { epoch: Some(epoch), cut: None, used };
    }

    /// Stages that passes of this epoch left out.
    pub fn used_in(&self, epoch: usize) -> Option<usize> {
        self.used.filter(|_| self.epoch == Some(epoch))
    }
}
