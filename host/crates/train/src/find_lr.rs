//! The learning-rate range test (Smith 2017, arXiv:1506.01186; Lightning's `lr_find`): the rate grows step by
//! step from almost nothing until the loss explodes; a good one lies where the loss falls most steeply.
//!
//! [`crate::fit::Fit::find_lr`] runs it; here are its settings, what it gives, and how that is shown.

mod chart;
mod curve;
mod error;
mod table;

use thaw_plugin_api::config::Config;

pub use curve::{Curve, Point};
pub use error::FindLrError;

/// Settings of a range test, by Lightning's names.
#[derive(Clone, Debug)]
pub struct FindLr {
    /// The epoch, from 0, in whose state the test is made: what trains then, in which groups. Default: the
    /// run's next one.
    pub epoch: Option<usize>,
    /// Whether each group is tested by itself, the others held still. Else all rates move together.
    pub per_group: bool,
    /// Rate of the first step; above 0.
    pub min_lr: f64,
    /// Rate of the last step; above `min_lr`.
    pub max_lr: f64,
    /// Optimizer steps.
    pub num_training: usize,
    /// How the rate grows.
    pub mode: Growth,
    /// The test ends when the smoothed loss exceeds its minimum this many times; infinity for never.
    pub early_stop_threshold: f64,
    /// Points at the beginning that are no suggestion.
    pub skip_begin: usize,
    /// Points at the end that are no suggestion.
    pub skip_end: usize,
}

/// How the rate grows from step to step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Growth {
    /// By the same factor.
    Exponential,
    /// By the same amount.
    Linear,
}

impl Default for FindLr {
    fn default() -> Self {
        Self {
            epoch: None,
            per_group: false,
            min_lr: 1e-8,
            max_lr: 1.0,
            num_training: 100,
            mode: Growth::Exponential,
            early_stop_threshold: 4.0,
            skip_begin: 10,
            skip_end: 1,
        }
    }
}

impl FindLr {
    /// Checks the settings.
    ///
    /// # Errors
    /// Those that make no sense.
    pub fn check(&self) -> Result<(), FindLrError> {
        self.problem().map_or(Ok(()), |problem| Err(FindLrError::Settings(problem)))
    }

    fn problem(&self) -> Option<String> {
        let is_rate = |lr: f64| lr > 0.0 && lr.is_finite();
        if !is_rate(self.min_lr) || !is_rate(self.max_lr) || self.min_lr >= self.max_lr {
            return Some(format!(
                "the rates go from {} to {}, expected from above 0 to more",
                self.min_lr, self.max_lr
            ));
        }
        if self.num_training < self.skip_begin.saturating_add(self.skip_end).saturating_add(2) {
            let (steps, begin, end) = (self.num_training, self.skip_begin, self.skip_end);
            return Some(format!(
                "{steps} steps, of which the first {begin} and the last {end} are skipped: expected at least \
                 2 more"
            ));
        }
        if self.early_stop_threshold.is_nan() || self.early_stop_threshold <= 1.0 {
            return Some(format!(
                "the early stop threshold is {}, expected more than 1",
                self.early_stop_threshold
            ));
        }
        None
    }

    /// The rate of a step.
    pub fn lr(&self, step: usize) -> f64 {
        let position = step as f64 / (self.num_training - 1) as f64;
        match self.mode {
            Growth::Exponential => self.min_lr * (self.max_lr / self.min_lr).powf(position),
            Growth::Linear => self.min_lr + (self.max_lr - self.min_lr) * position,
        }
    }
}

/// A group as the test found it.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Its rate.
    pub lr: f64,
    /// The rate that schedulers scale.
    pub initial_lr: f64,
}

/// What a range test gives.
#[derive(Clone, Debug)]
pub struct FoundLr {
    /// The epoch, from 0, in whose state it was made.
    pub epoch: usize,
    /// How the rates grew.
    pub mode: Growth,
    /// The groups, as they were.
    pub groups: Vec<Group>,
    /// One curve for all groups together, or one per group.
    pub curves: Vec<Curve>,
}

impl FoundLr {
    /// What moved in a curve: a group's name, or `all`.
    pub fn moved(&self, curve: &Curve) -> &str {
        curve.group.map_or("all", |group| &self.groups[group].name)
    }

    /// A rate for each group, in their order; none where its curve never falls. Rates that moved together
    /// keep their ratios.
    pub fn suggestions(&self) -> Vec<(&str, Option<f64>)> {
        let of = |index: usize| {
            let curve = self.curves.iter().find(|curve| curve.moves(index))?;
            Some(curve.suggestion.map(|point| curve.points[point].rates[index]))
        };
        self.groups
            .iter()
            .enumerate()
            .map(|(index, group)| (group.name.as_str(), of(index).flatten()))
            .collect()
    }
}
