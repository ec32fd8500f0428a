//! Whether the data is what a checkpoint's run had: a run that goes on, and a validation, say where it is
//! not.

use std::path::Path;

use serde_json::Value;

use crate::checkpoint::{Checkpoint, SavedState};
use crate::config::RunConfig;
use thaw_data::{DataChange, DataModule, Fingerprints, Place, Split};

/// What changed since a checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataChanges {
    /// In the training data, before a `val_split`.
    pub train: Option<DataChange>,
    /// In validation data that comes from elsewhere.
    pub val: Option<DataChange>,
    /// In further validation sets, by name.
    pub sets: Vec<(String, DataChange)>,
}

impl DataChanges {
    /// Since the checkpoint with this state; of older versions nothing is known.
    pub fn since(saved: &SavedState, config: &RunConfig, data: &DataModule) -> Self {
        let Some(earlier) = &saved.given.data else { return Self::default() };
        let Fingerprints { train, val, sets } = data.fingerprints();
        let train = train.change_since(&earlier.train, place(saved, config, "path"));
        // Without a file of its own, validation data lies in that of the training data.
        let of_val = ["val_path", "path"].map(|key| place(saved, config, key));
        let val = val.zip(earlier.val).and_then(|(now, earlier)| {
            let place = if of_val.contains(&Place::Other) { Place::Other } else { Place::Same };
            now.change_since(&earlier, place)
        });
        let sets = sets.iter().filter_map(|(name, now)| {
            let places = ["", "/path"].map(|end| place(saved, config, &format!("validation/{name}{end}")));
            let place = if places.contains(&Place::Other) { Place::Other } else { Place::Same };
            Some((name.clone(), now.change_since(earlier.sets.get(name)?, place)?))
        });
        Self { train, val, sets: sets.collect() }
    }

    /// Says so, in a run that goes on.
    pub fn tell_resumed(&self) {
        for (what, change) in [("training", self.train), ("validation", self.val)] {
            if let Some(change) = change {
                tracing::warn!(
                    "the {what} data is not what it was when the checkpoint was written: {change}"
                );
            }
        }
        self.tell_sets();
    }

    /// Says so of further validation sets.
    fn tell_sets(&self) {
        for (name, change) in &self.sets {
            tracing::warn!(
                "validation set `{name}` is not what it was when the checkpoint was written: {change}"
            );
        }
    }
}

/// Whether a path of `[data]` leads where it led in the run; one that neither has does.
fn place(saved: &SavedState, config: &RunConfig, key: &str) -> Place {
    let paths = config.data.iter().flat_map(|data| data.paths());
    let now = paths.into_iter().find(|(known, _)| known == key);
    let now = now.and_then(|(_, path)| std::path::absolute(path).ok());
    let before = saved.given.paths.get(&format!("/data/{key}"));
    if now.as_deref() == before.map(Path::new) { Place::Same } else { Place::Other }
}

/// Before a validation of a checkpoint: says where the samples are not those that its run validated on.
pub fn tell_validated(checkpoint: &Checkpoint, config: &RunConfig, data: &DataModule) {
    let saved = &checkpoint.state;
    if let Some(key) = changed_split(saved, config) {
        tracing::warn!(
            "`data.{key}` is not the run's, so that samples are validated on which the run has trained on: \
             what comes out is no measure of the model"
        );
    }
    let changes = DataChanges::since(saved, config, data);
    changes.tell_sets();
    let share = config.data.as_ref().and_then(|table| table.loading.val_split);
    let is_other = match (&saved.given.data, share) {
        (None, _) => place(saved, config, "path") == Place::Other && !saved.given.paths.is_empty(),
        (Some(_), Some(_)) => changes.train.is_some_and(|change| change.is_of_samples()),
        (Some(_), None) => false,
    };
    if let Some(share) = share.filter(|_| is_other) {
        let (train, val) = (data.samples(Split::Train), data.samples(Split::Val));
        let change = changes.train.map(|change| format!(" ({change})")).unwrap_or_default();
        tracing::warn!(
            "[data] is other data than the run's{change}, and val_split = {share} takes {val} of its {} \
             samples: `host test --checkpoint … --input PATH` evaluates all of them",
            train + val
        );
    } else if let Some(change) = if share.is_some() { changes.train } else { changes.val } {
        tracing::warn!("the data is not what the run validated on: {change}");
    }
}

/// The key that has other samples set aside for validation than in the run.
fn changed_split(saved: &SavedState, config: &RunConfig) -> Option<&'static str> {
    let loading = &config.data.as_ref()?.loading;
    let share = loading.val_split?;
    let of_run = |key: &str| saved.given.config.pointer(&format!("/data/{key}"));
    if of_run("val_split").and_then(Value::as_f64) != Some(share) {
        return Some("val_split");
    }
    let seed = of_run("split_seed").and_then(Value::as_u64).unwrap_or_default();
    (seed != loading.split_seed).then_some("split_seed")
}
