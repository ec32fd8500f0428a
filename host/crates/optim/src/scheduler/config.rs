//! The `[scheduler]` table.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thaw_plugin_api::config::{self, Config, Key};

use super::Result;

mod schedules;

pub use schedules::{
    Anneal, ByGroup, Chained, Cosine, CosineWarmRestarts, Cyclic, CyclicMode, Factor, Lambda, Linear,
    MultiStep, OneCycle, Polynomial, ReduceOnPlateau, Schedule, Sequential, Step, ThresholdMode, Warmup,
};

/// Settings of a scheduler: the schedule, and when it advances. Keys are PyTorch's, unknown ones are refused.
///
/// ```toml
/// [scheduler]
/// id = "warmup"                 # see Schedule for all of them and their keys
/// interval = "step"             # epoch | step; default epoch (one-cycle, cyclic: step)
/// frequency = 1                 # every so many epochs, or batches of an epoch
/// total_iters = 100
/// scheduler = { id = "cosine", eta_min = 1e-5 }
/// ```
#[derive(Clone, Debug, PartialEq, Config)]
#[config(through = SchedulerTable)]
pub struct SchedulerConfig {
    /// Which schedule, with its own settings.
    pub schedule: Schedule,
    /// Whether it advances per epoch or per optimizer step.
    pub interval: Interval,
    /// It advances at every so manieth epoch, or batch of an epoch; 1 or more.
    pub frequency: usize,
}

/// When a schedule advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Interval {
    /// After each epoch.
    Epoch,
    /// After each optimizer step.
    Step,
}

/// The schedule of the rates, with PyTorch's names and defaults.
#[derive(Config)]
struct SchedulerTable {
    #[config(flatten)]
    schedule: Schedule,
    /// When it advances. Default: per epoch, `one-cycle` and `cyclic` per optimizer step.
    interval: Option<Interval>,
    /// It advances at every so manieth epoch, or batch of an epoch.
    #[config(default = 1, range = 1..)]
    frequency: usize,
}

impl From<SchedulerTable> for SchedulerConfig {
    fn from(table: SchedulerTable) -> Self {
        let usual = SchedulerConfig::new(table.schedule);
        let interval = table.interval.unwrap_or(usual.interval);
        SchedulerConfig { interval, frequency: table.frequency, ..usual }
    }
}

impl From<SchedulerConfig> for SchedulerTable {
    fn from(config: SchedulerConfig) -> Self {
        let SchedulerConfig { schedule, interval, frequency } = config;
        SchedulerTable { schedule, interval: Some(interval), frequency }
    }
}

impl SchedulerConfig {
    /// A schedule at its usual interval.
    pub fn new(schedule: Schedule) -> SchedulerConfig {
        let interval = if matches!(schedule, Schedule::OneCycle(_) | Schedule::Cyclic(_)) {
            Interval::Step
        } else {
            Interval::Epoch
        };
        SchedulerConfig { schedule, interval, frequency: 1 }
    }

    /// Checks every value with PyTorch's limits.
    ///
    /// # Errors
    /// The first value out of range.
    pub fn check(&self) -> Result<()> {
        Self::from_value(&self.to_value(), &Self::key())?;
        Ok(())
    }

    /// Where a run config has it.
    pub(super) fn key() -> Key {
        Key::root().child("scheduler")
    }
}

impl Serialize for SchedulerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        config::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for SchedulerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        config::deserialize("scheduler", deserializer)
    }
}

#[cfg(test)]
mod tests;
