//! Assertions on a fake run, with messages that say what differs.

use std::collections::BTreeSet;

use super::{EpochRecord, Report};
use crate::module_tree::{BatchNorm, ModuleTree};

impl Report {
    /// One epoch, by its number.
    ///
    /// # Panics
    /// The run had no such epoch.
    #[track_caller]
    pub fn epoch(&self, epoch: usize) -> &EpochRecord {
        match self.epochs.iter().find(|record| record.epoch == epoch) {
            Some(record) => record,
            None => {
                panic!(
                    "there was no epoch {epoch}; the run had {:?}",
                    self.epochs.iter().map(|record| record.epoch).collect::<Vec<_>>()
                )
            }
        }
    }

    /// Somebody asked the run to stop, for a reason that contains `reason`.
    ///
    /// # Panics
    /// Nobody did, or for another reason.
    #[track_caller]
    pub fn assert_stopped(&self, reason: &str) -> &Self {
        match &self.stopped {
            Some(found) => assert!(
                found.contains(reason),
                "the run stopped because of \"{found}\", expected \"{reason}\""
            ),
            None => panic!("nobody asked the run to stop, expected \"{reason}\""),
        }
        self
    }

    /// Nobody asked the run to stop.
    ///
    /// # Panics
    /// Somebody did.
    #[track_caller]
    pub fn assert_not_stopped(&self) -> &Self {
        assert!(self.stopped.is_none(), "the run stopped because of {:?}", self.stopped);
        self
    }

    /// A hook ran or something was asked for, in this epoch: `on_train_start`, `save-checkpoint best`.
    ///
    /// # Panics
    /// It did not happen.
    #[track_caller]
    pub fn assert_event(&self, epoch: usize, what: &str) -> &Self {
        let when: Vec<usize> =
            self.events.iter().filter(|event| event.what == what).map(|event| event.epoch).collect();
        assert!(
            when.contains(&epoch),
            "`{what}` did not happen in epoch {epoch}; it happened in epochs {when:?}"
        );
        self
    }

    /// A plugin said something that contains `text`.
    ///
    /// # Panics
    /// None did.
    #[track_caller]
    pub fn assert_message(&self, level: tracing::Level, text: &str) -> &Self {
        let found = self.messages.iter().any(|message| message.level == level && message.text.contains(text));
        assert!(found, "no {level} message contains \"{text}\"; the messages are {:#?}", self.messages);
        self
    }
}

impl EpochRecord {
    /// What trains is exactly what the patterns name: module paths, or globs over modules and parameters.
    ///
    /// # Panics
    /// Something else trains, or something of it does not.
    #[track_caller]
    pub fn assert_trainable<P: AsRef<str>>(&self, patterns: impl IntoIterator<Item = P>) -> &Self {
        let expected = names(&self.tree, patterns);
        let found: BTreeSet<String> = self.tree.trainable().into_iter().map(str::to_owned).collect();
        let missing: Vec<&String> = expected.difference(&found).collect();
        let extra: Vec<&String> = found.difference(&expected).collect();
        assert!(
            missing.is_empty() && extra.is_empty(),
            "epoch {}: frozen, but expected to train: {missing:?}; trainable, but expected to be frozen: \
             {extra:?}",
            self.epoch
        );
        self
    }

    /// Nothing trains of what the patterns name.
    ///
    /// # Panics
    /// Something of it does.
    #[track_caller]
    pub fn assert_frozen<P: AsRef<str>>(&self, patterns: impl IntoIterator<Item = P>) -> &Self {
        let frozen = names(&self.tree, patterns);
        let trains: Vec<&str> =
            self.tree.trainable().into_iter().filter(|name| frozen.contains(*name)).collect();
        assert!(trains.is_empty(), "epoch {}: trainable, but expected to be frozen: {trains:?}", self.epoch);
        self
    }

    /// A group has this rate when the epoch starts, up to a relative 1e-12.
    ///
    /// # Panics
    /// There is no such group, or it has another rate.
    #[track_caller]
    pub fn assert_lr(&self, group: &str, lr: f64) -> &Self {
        match self.groups.iter().find(|known| known.name == group) {
            Some(found) => assert!(
                is_near(found.lr, lr),
                "epoch {}: group `{group}` has the rate {}, expected {lr}",
                self.epoch,
                found.lr
            ),
            None => panic!(
                "epoch {}: there is no group `{group}`; the groups are {:?}",
                self.epoch,
                self.group_names()
            ),
        }
        self
    }

    /// The groups are these, in this order.
    ///
    /// # Panics
    /// They are others.
    #[track_caller]
    pub fn assert_groups<N: AsRef<str>>(&self, names: impl IntoIterator<Item = N>) -> &Self {
        let expected: Vec<String> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
        let found = self.group_names();
        assert!(found == expected, "epoch {}: the groups are {found:?}, expected {expected:?}", self.epoch);
        self
    }

    /// A batch norm, or every one in a module, is frozen in this way; with [`BatchNorm::Train`] it trains.
    ///
    /// # Panics
    /// One is not, or there is none.
    #[track_caller]
    pub fn assert_batch_norm(&self, module: &str, expected: BatchNorm) -> &Self {
        let norms = self.batch_norms();
        let mut count = 0;
        for (path, flags) in norms.iter().filter(|(path, _)| crate::module_tree::is_within(path, module)) {
            let fits = match expected {
                BatchNorm::Train => flags.training && flags.track_running_stats && flags.requires_grad,
                BatchNorm::BatchStats => flags.training && !flags.track_running_stats && !flags.requires_grad,
                BatchNorm::Eval => !flags.training && !flags.requires_grad,
            };
            assert!(fits, "epoch {}: batch norm `{path}` is {flags:?}, expected {expected:?}", self.epoch);
            count += 1;
        }
        assert!(
            count > 0,
            "epoch {}: there is no batch norm in `{module}`; there are {:?}",
            self.epoch,
            norms.keys()
        );
        self
    }

    /// A plugin logged a metric in this epoch.
    ///
    /// # Panics
    /// None did, or with other values only.
    #[track_caller]
    pub fn assert_logged(&self, name: &str, value: f64) -> &Self {
        let found: Vec<f64> =
            self.logged.iter().filter(|(known, _)| known == name).map(|(_, value)| *value).collect();
        let fits = found.iter().any(|found| is_near(*found, value));
        assert!(fits, "epoch {}: `{name}` was logged as {found:?}, expected {value}", self.epoch);
        self
    }

    fn group_names(&self) -> Vec<&str> {
        self.groups.iter().map(|group| group.name.as_str()).collect()
    }
}

#[track_caller]
fn names<P: AsRef<str>>(tree: &ModuleTree, patterns: impl IntoIterator<Item = P>) -> BTreeSet<String> {
    match tree.select(patterns) {
        Ok(selection) => selection.parameters.into_iter().collect(),
        Err(error) => panic!("{error}"),
    }
}

/// Equal up to a relative 1e-12, as rates are compared with PyTorch's.
fn is_near(found: f64, expected: f64) -> bool {
    (found - expected).abs() <= 1e-12 * expected.abs().max(found.abs()) || found == expected
}
