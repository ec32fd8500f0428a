//! Schedules made of others.

use thaw_plugin_api::config::{Config, ConfigError, above_to};

use super::Schedule;

/// One schedule after the other, each from its own beginning.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = Sequential::check)]
pub struct Sequential {
    /// Tables like this one, without `interval` and `frequency`.
    pub schedulers: Vec<Schedule>,
    /// Counts at which the second and following ones begin, rising; one fewer than there are schedules.
    pub milestones: Vec<usize>,
}

impl Sequential {
    fn check(&mut self) -> Result<(), ConfigError> {
        each(&self.schedulers)?;
        let (count, milestones) = (self.schedulers.len(), &self.milestones);
        if milestones.len() + 1 != count {
            let found = format!("{} for {count} schedulers", milestones.len());
            return Err(ConfigError::value("milestones", found, "one fewer than there are schedulers"));
        }
        let starts_above = milestones.first().is_none_or(|first| *first > 0);
        if starts_above && milestones.is_sorted_by(|a, b| a < b) {
            return Ok(());
        }
        let expected = "numbers above 0, each larger than the one before";
        Err(ConfigError::value("milestones", format!("{milestones:?}"), expected))
    }
}

/// Several schedules at once, each from the rate that the one before it in the list gives.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = Chained::check)]
pub struct Chained {
    /// Tables like this one, without `interval` and `frequency`.
    pub schedulers: Vec<Schedule>,
}

impl Chained {
    fn check(&mut self) -> Result<(), ConfigError> {
        each(&self.schedulers)
    }
}

/// A linear rise to `base`, then another schedule.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = Warmup::check)]
pub struct Warmup {
    /// Length of the rise.
    #[config(range = 1..)]
    pub total_iters: usize,
    /// Where it starts, as a share of the rate.
    #[config(default = 0.01, range = above_to(0.0, 1.0))]
    pub start_factor: f64,
    /// What follows, a table like this one. Default: the rate stays.
    pub scheduler: Option<Box<Schedule>>,
}

impl Warmup {
    fn check(&mut self) -> Result<(), ConfigError> {
        match &self.scheduler {
            Some(inner) => inside(inner, "scheduler"),
            None => Ok(()),
        }
    }
}

fn each(schedulers: &[Schedule]) -> Result<(), ConfigError> {
    if schedulers.is_empty() {
        return Err(ConfigError::value("schedulers", "empty", "at least one table"));
    }
    let mut inner = schedulers.iter().enumerate();
    inner.try_for_each(|(index, inner)| inside(inner, &format!("schedulers[{index}]")))
}

/// Refuses what only the outermost schedule can be.
fn inside(schedule: &Schedule, key: &str) -> Result<(), ConfigError> {
    let refuse = |name: &str, found: &str, expected: &str| {
        Err(ConfigError::value(&format!("{key}.{name}"), found, expected))
    };
    match schedule {
        Schedule::OneCycle(cycle) if cycle.max_lr.is_some() => {
            let expected = "none inside another schedule: each group's own rate is the largest there";
            refuse("max_lr", "a rate", expected)
        }
        Schedule::Cyclic(_) => {
            let expected = "a schedule of each group's own rate: it cannot be inside another";
            refuse("id", schedule.id(), expected)
        }
        Schedule::ReduceOnPlateau(_) => {
            let expected = "a schedule that needs no metric: it cannot be inside another";
            refuse("id", schedule.id(), expected)
        }
        _ => Ok(()),
    }
}
