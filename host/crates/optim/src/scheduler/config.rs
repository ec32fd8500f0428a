//! The `[scheduler]` table.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Map;

use super::{Result, SchedulerError};
use crate::optimizer::table::Table;

mod check;
mod read;
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SchedulerConfig {
    /// Which schedule, with its own settings.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// Whether it advances per epoch or per optimizer step.
    pub interval: Interval,
    /// It advances at every so manieth epoch, or batch of an epoch; 1 or more.
    pub frequency: usize,
}

/// When a schedule advances.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    /// After each epoch.
    Epoch,
    /// After each optimizer step.
    Step,
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
        if self.frequency == 0 {
            let table = Table::new("scheduler", Map::new());
            return Err(table.error("frequency", "0", "a whole number of 1 or more").into());
        }
        check::schedule(&self.schedule, "scheduler", check::Place::Outermost).map_err(SchedulerError::from)
    }

    fn from_table(mut table: Table) -> Result<SchedulerConfig> {
        let interval = table.get("interval", "epoch or step")?;
        let frequency = table.or("frequency", "a whole number of 1 or more", 1)?;
        let mut config = SchedulerConfig::new(read::schedule(table, check::Place::Outermost)?);
        config.interval = interval.unwrap_or(config.interval);
        config.frequency = frequency;
        config.check()?;
        Ok(config)
    }
}

impl<'de> Deserialize<'de> for SchedulerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let table = Table::new("scheduler", Map::deserialize(deserializer)?);
        SchedulerConfig::from_table(table).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
