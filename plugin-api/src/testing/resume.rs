//! Stopping and resuming a fake run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::FakeRun;
use super::started::Started;
use crate::context::{number_from_json, number_to_json};
use crate::error::{Error, Result};
use crate::module_tree::ModuleTree;
use crate::optimizer::{Optimizer, no_optimizer};

/// What a checkpoint holds; of tensors those that hooks asked for.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    epoch: usize,
    batch: usize,
    global_step: usize,
    model: ModuleTree,
    optimizer: Optimizer,
    metrics: BTreeMap<String, Value>,
    logged: Vec<(String, Value)>,
    checkpoints: BTreeSet<String>,
    states: BTreeMap<String, Value>,
    #[serde(default)]
    sets: super::sets::SavedSets,
    #[cfg(feature = "torch")]
    values: super::values::SavedValues,
}

impl FakeRun {
    /// The state of the run as JSON: freeze state, groups, metrics, state of the plugins. After a plugin's
    /// stop inside an epoch, that before the epoch's last hooks, as in a checkpoint.
    ///
    /// # Errors
    /// The run has not started, or a plugin's state cannot be written.
    pub fn save(&mut self) -> Result<Value> {
        match &self.saved_at_stop {
            Some(saved) => Ok(saved.clone()),
            None => self.started()?.snapshot(),
        }
    }

    /// Goes on from what [`FakeRun::save`] gave, with fresh instances of the same plugins:
    /// `freeze_before_training` does not run again.
    #[must_use]
    pub fn resumed_from(mut self, saved: &Value) -> Self {
        self.saved = Some(saved.clone());
        self
    }
}

impl Started<'_> {
    pub(super) fn snapshot(&mut self) -> Result<Value> {
        let states = self.states()?;
        let sets = self.host.save_sets()?;
        let host = &*self.host;
        let to_json = |(name, value): (&String, &f64)| (name.clone(), number_to_json(*value));
        let saved = Saved {
            epoch: host.progress.epoch,
            batch: host.progress.batch_index,
            global_step: host.progress.global_step,
            model: host.tree.clone(),
            optimizer: host.optimizer.clone().ok_or_else(no_optimizer)?,
            metrics: host.metrics.iter().map(to_json).collect(),
            logged: host.logged.iter().map(|(name, value)| to_json((name, value))).collect(),
            checkpoints: host.checkpoints.clone(),
            states,
            sets,
            #[cfg(feature = "torch")]
            values: host.values.save()?,
        };
        Ok(serde_json::to_value(saved)?)
    }

    /// Freeze state and groups, as a checkpoint has them.
    pub(super) fn restore_model(&mut self, saved: &Saved) -> Result<()> {
        let host = &mut *self.host;
        #[cfg(feature = "torch")]
        host.values.restore(&host.tree, saved.values.clone())?;
        host.restore_sets(&saved.sets)?;
        host.tree.restore_freeze_state(saved.model.modules())?;
        host.tree.mark_unchanged();
        host.optimizer = Some(saved.optimizer.clone());
        Ok(())
    }

    /// State of every strategy and callback, then where the run stands.
    pub(super) fn restore_states(&mut self, saved: &Saved) -> Result<()> {
        for instance in &mut *self.instances {
            let state = saved.states.get(&instance.id);
            let state = state
                .ok_or_else(|| Error::new(format_args!("the saved run has no state of `{}`", instance.id)))?;
            instance.load_state(state, self.log)?;
        }
        let host = &mut *self.host;
        host.progress.epoch = saved.epoch;
        host.progress.batch_index = saved.batch;
        host.progress.global_step = saved.global_step;
        host.checkpoints.clone_from(&saved.checkpoints);
        let from_json = |(name, value): (&String, &Value)| Some((name.clone(), number_from_json(value)?));
        host.metrics.extend(saved.metrics.iter().filter_map(from_json));
        host.logged.extend(saved.logged.iter().filter_map(|(name, value)| from_json((name, value))));
        Ok(())
    }

    pub(super) fn states(&mut self) -> Result<BTreeMap<String, Value>> {
        let states = self.instances.iter_mut();
        states.map(|instance| Ok((instance.id.clone(), instance.state(self.log)?))).collect()
    }
}

/// Checks that stopping after any epoch and resuming gives the run that went straight through: every record
/// of every epoch after it is equal.
///
/// `build` makes the run anew, with all its plugins.
///
/// # Errors
/// What the run returns.
///
/// # Panics
/// A resumed run differs; the message names the epoch of the stop and the first one that differs.
#[track_caller]
pub fn assert_resumes_alike(build: impl Fn() -> Result<FakeRun>) -> Result<()> {
    let straight = build()?.fit()?;
    for stop in 1..straight.epochs.len() {
        let mut first = build()?;
        first.run_epochs(stop)?;
        let saved = first.save()?;
        let resumed = build()?.resumed_from(&saved).fit()?;
        for (expected, found) in straight.epochs[stop..].iter().zip(&resumed.epochs) {
            if let Some(difference) = expected.difference(found) {
                panic!(
                    "resumed after {stop} epochs, epoch {} differs: {difference}\n  help: \
                     `freeze_before_training` does not run again; \
                     what a run changes belongs into fields marked `#[config(state)]`, what follows from the \
                     configuration into a \
                     function named by `#[config(check = …)]`",
                    expected.epoch
                );
            }
        }
        let (expected, found) = (straight.epochs.len() - stop, resumed.epochs.len());
        assert!(
            expected == found,
            "resumed after {stop} epochs, the run had {found} more, expected {expected}"
        );
        assert!(
            straight.stopped == resumed.stopped,
            "resumed after {stop} epochs, the run stopped because of {:?}, expected {:?}",
            resumed.stopped,
            straight.stopped
        );
    }
    Ok(())
}
