//! Learning rate schedules with PyTorch's names and numbers, over named parameter groups. No tensor is
//! involved.
//!
//! A schedule counts how often it has *advanced* (PyTorch's `last_epoch`), once per epoch or once per
//! optimizer step. Where PyTorch computes a rate from the rate before (the chainable form), so does Thaw: a
//! rate that a strategy has written is scaled from there. Groups are known by name and may appear at any
//! time: a new group starts at its own rate and follows the same factor from there, `lr_added * f(t) /
//! f(t_added)`, with every schedule.
//!
//! ```text
//! new ─► start(groups) ─► per step: on_step ─► per epoch: on_epoch_end, on_metric
//!          └─ or load_state
//! ```

mod config;
mod cyclic;
mod error;
mod expression;
mod length;
mod one_cycle;
mod plateau;
mod restart;
mod rule;
mod span;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::optimizer::{Optimizer, OptimizerConfig};

pub use config::{
    Anneal, ByGroup, Chained, Cosine, CosineWarmRestarts, Cyclic, CyclicMode, Factor, Interval, Lambda,
    Linear, MultiStep, OneCycle, Polynomial, ReduceOnPlateau, Schedule, SchedulerConfig, Sequential, Step,
    ThresholdMode, Warmup,
};
pub use error::SchedulerError;
pub use length::RunLength;
use plateau::Plateau;
pub use restart::Restart;
use rule::{At, Rule};

/// Result of everything in [`crate::scheduler`].
pub type Result<T> = std::result::Result<T, SchedulerError>;

/// A schedule at work on the groups of an optimizer.
#[derive(Clone, Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
    length: RunLength,
    /// Whether the settings are others than the run config's: then they are part of the state.
    replaces_the_runs: bool,
    rule: Rule,
    plateau: Option<Plateau>,
    momentum_option: &'static str,
    /// How often it has advanced.
    advances: usize,
    groups: BTreeMap<String, Known>,
}

/// What it remembers of a group.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Known {
    /// Rate that the schedule's factor is taken of (for one-cycle and cyclic: the largest).
    base_lr: f64,
    /// Rate below which reduce-on-plateau does not go.
    #[serde(default)]
    min_lr: f64,
}

/// A scheduler in a checkpoint.
#[derive(Serialize, Deserialize)]
struct State {
    id: String,
    advances: usize,
    groups: BTreeMap<String, Known>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plateau: Option<plateau::Counters>,
    /// Settings that are not the run config's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settings: Option<Settings>,
}

/// What a scheduler is made of.
#[derive(Serialize, Deserialize)]
struct Settings {
    scheduler: SchedulerConfig,
    length: RunLength,
}

impl Scheduler {
    /// A scheduler that has not begun. Then call [`Scheduler::start`] in a fresh run,
    /// [`Scheduler::load_state`] in a resumed one.
    ///
    /// # Errors
    /// A value out of range, or an expression that cannot be read.
    pub fn new(config: SchedulerConfig, length: RunLength, optimizer: &OptimizerConfig) -> Result<Scheduler> {
        config.check()?;
        let rule = Rule::new(&config, &length)?;
        let plateau = match &config.schedule {
            Schedule::ReduceOnPlateau(settings) => Some(Plateau::new(settings.clone())),
            _ => None,
        };
        let momentum_option = optimizer.momentum_option();
        let groups = BTreeMap::new();
        Ok(Scheduler {
            config,
            length,
            replaces_the_runs: false,
            rule,
            plateau,
            momentum_option,
            advances: 0,
            groups,
        })
    }

    /// The scheduler of a checkpoint, where it is not the run config's. Then call [`Scheduler::load_state`].
    ///
    /// # Errors
    /// A state that cannot be read.
    pub fn replacement(state: &Value, optimizer: &OptimizerConfig) -> Result<Option<Scheduler>> {
        let state = State::deserialize(state).map_err(|error| SchedulerError::State(error.to_string()))?;
        let Some(Settings { scheduler, length }) = state.settings else { return Ok(None) };
        Ok(Some(Scheduler { replaces_the_runs: true, ..Scheduler::new(scheduler, length, optimizer)? }))
    }

    /// The settings it was made with.
    pub fn config(&self) -> &SchedulerConfig {
        &self.config
    }

    /// Another optimizer has come: a one-cycle schedule cycles that one's momentum.
    pub fn follow(&mut self, optimizer: &mut Optimizer) {
        self.momentum_option = optimizer.config().momentum_option();
        optimizer.groups_mut().iter_mut().for_each(|group| self.write_momentum(group));
    }

    /// How often it has advanced: PyTorch's `last_epoch`.
    pub fn advances(&self) -> usize {
        self.advances
    }

    /// Begins a fresh run with these groups: their `initial_lr` is what the schedule scales, and schedules
    /// that begin below it (linear, one-cycle, warm-up) set their first rates, as PyTorch's constructors do.
    ///
    /// # Errors
    /// A rate that is no number of 0 or more.
    pub fn start(&mut self, groups: &mut [ParamGroup]) -> Result<()> {
        self.advances = 0;
        self.groups.clear();
        if let Some(plateau) = &mut self.plateau {
            plateau.reset();
        }
        for (index, group) in groups.iter_mut().enumerate() {
            let base_lr = self.rule.start_base(index, group.initial_lr);
            let min_lr = self.plateau.as_ref().map_or(0.0, |plateau| plateau.min_lr(index));
            self.groups.insert(group.name.clone(), Known { base_lr, min_lr });
            let lr = self.rule.initial(At::of(0, base_lr, group.lr))?;
            self.write(group, lr)?;
        }
        Ok(())
    }

    /// Takes notice of groups that have appeared or vanished. Every `on_` function does so first; calling it
    /// right after the groups have changed also gives new ones their momentum in a one-cycle schedule.
    ///
    /// # Errors
    /// A lambda expression that gives no number.
    pub fn adopt(&mut self, groups: &mut [ParamGroup]) -> Result<()> {
        if groups.len() == self.groups.len()
            && groups.iter().all(|group| self.groups.contains_key(&group.name))
        {
            return Ok(());
        }
        self.groups.retain(|name, _| groups.iter().any(|group| group.name == *name));
        for (index, group) in groups.iter_mut().enumerate() {
            if self.groups.contains_key(&group.name) {
                continue;
            }
            let base_lr = self.rule.base_of(self.advances, group.lr)?;
            let min_lr = self.plateau.as_ref().map_or(0.0, |plateau| plateau.min_lr(index));
            self.groups.insert(group.name.clone(), Known { base_lr, min_lr });
            self.write_momentum(group);
        }
        Ok(())
    }

    /// After an optimizer step. `batch` is the batch's number in its epoch, from 0: `frequency` counts
    /// batches. Does nothing for schedules of another interval, and for reduce-on-plateau.
    ///
    /// # Errors
    /// A rate that is no number of 0 or more.
    pub fn on_step(&mut self, groups: &mut [ParamGroup], batch: usize) -> Result<()> {
        self.on(Interval::Step, groups, batch)
    }

    /// After an epoch's last optimizer step, before validation. `epoch` counts from 0.
    /// Does nothing for schedules of another interval, and for reduce-on-plateau.
    ///
    /// # Errors
    /// A rate that is no number of 0 or more.
    pub fn on_epoch_end(&mut self, groups: &mut [ParamGroup], epoch: usize) -> Result<()> {
        self.on(Interval::Epoch, groups, epoch)
    }

    /// The metric that reduce-on-plateau waits for, and when: per epoch after validation, or per step. `None`
    /// for all others.
    pub fn monitor(&self) -> Option<(&str, Interval)> {
        let plateau = self.plateau.as_ref()?;
        Some((plateau.monitor(), self.config.interval))
    }

    /// The monitored metric's new value. `index` is the epoch, or the batch in its epoch, according to the
    /// interval. Does nothing for schedules other than reduce-on-plateau. Gives whether rates were reduced.
    ///
    /// # Errors
    /// A rate that is no number of 0 or more.
    pub fn on_metric(&mut self, value: f64, groups: &mut [ParamGroup], index: usize) -> Result<bool> {
        self.adopt(groups)?;
        let due = self.is_due(index);
        let Some(plateau) = self.plateau.as_mut().filter(|_| due) else { return Ok(false) };
        self.advances += 1;
        if !plateau.observe(value) {
            return Ok(false);
        }
        for group in groups.iter_mut() {
            let min_lr = self.groups.get(&group.name).map_or(0.0, |known| known.min_lr);
            group.lr = plateau.reduced(group.lr, min_lr);
        }
        Ok(true)
    }

    /// A metric has a new value: a schedule of steps that waits for it looks at it at its next step, once.
    pub fn offer(&mut self, metric: &str, value: f64) {
        if self.config.interval == Interval::Step
            && let Some(plateau) = self.plateau.as_mut().filter(|plateau| plateau.monitor() == metric)
        {
            plateau.offer(value);
        }
    }

    /// After an optimizer step, for a schedule of steps that waits for a metric: looks at the value that was
    /// offered last, if it has not seen it.
    ///
    /// # Errors
    /// As [`Self::on_metric`].
    pub fn on_offered(&mut self, groups: &mut [ParamGroup], batch: usize) -> Result<bool> {
        let due = self.is_due(batch);
        match self.plateau.as_mut().filter(|_| due).and_then(Plateau::take) {
            Some(value) => self.on_metric(value, groups, batch),
            None => Ok(false),
        }
    }

    /// Its state for a checkpoint.
    ///
    /// # Errors
    /// A number that JSON cannot hold.
    pub fn state(&self) -> Result<Value> {
        let state = State {
            id: self.config.schedule.id().to_owned(),
            advances: self.advances,
            groups: self.groups.clone(),
            plateau: self.plateau.as_ref().map(Plateau::counters),
            settings: self
                .replaces_the_runs
                .then(|| Settings { scheduler: self.config.clone(), length: self.length.clone() }),
        };
        serde_json::to_value(state).map_err(|error| SchedulerError::State(error.to_string()))
    }

    /// Restores what [`Scheduler::state`] gave. The groups' rates are the checkpoint's and stay as they are.
    ///
    /// # Errors
    /// A state of another schedule, or one that cannot be read.
    pub fn load_state(&mut self, state: &Value) -> Result<()> {
        let state = State::deserialize(state).map_err(|error| SchedulerError::State(error.to_string()))?;
        let id = self.config.schedule.id();
        if state.id != id {
            return Err(SchedulerError::OtherSchedule { found: state.id, expected: id });
        }
        if let (Some(plateau), Some(counters)) = (&mut self.plateau, state.plateau) {
            plateau.restore(counters);
        }
        self.advances = state.advances;
        self.groups = state.groups;
        Ok(())
    }

    fn is_due(&self, index: usize) -> bool {
        (index + 1).is_multiple_of(self.config.frequency)
    }

    fn on(&mut self, interval: Interval, groups: &mut [ParamGroup], index: usize) -> Result<()> {
        self.adopt(groups)?;
        if self.plateau.is_some() || self.config.interval != interval || !self.is_due(index) {
            return Ok(());
        }
        self.advances += 1;
        for group in groups {
            let Some(known) = self.groups.get(&group.name) else { continue };
            let lr = self.rule.next(At::of(self.advances, known.base_lr, group.lr))?;
            self.write(group, lr)?;
        }
        Ok(())
    }

    fn write(&self, group: &mut ParamGroup, lr: f64) -> Result<()> {
        if !(lr.is_finite() && lr >= 0.0) {
            let (group, id) = (group.name.clone(), self.config.schedule.id());
            return Err(SchedulerError::Rate { id, group, lr, advances: self.advances });
        }
        group.lr = lr;
        self.write_momentum(group);
        Ok(())
    }

    fn write_momentum(&self, group: &mut ParamGroup) {
        if let Some(momentum) = self.rule.momentum(self.advances) {
            group.options.insert(self.momentum_option.to_owned(), momentum);
        }
    }
}
