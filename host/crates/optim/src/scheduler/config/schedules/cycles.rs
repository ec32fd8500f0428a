//! Schedules whose rates rise and fall between two limits, momentum the other way round.

use serde::{Deserialize, Serialize};

use super::ByGroup;

/// One cycle: from `max_lr / div_factor` up to `max_lr` and down to `max_lr / div_factor / final_div_factor`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OneCycle {
    /// One for all groups or a list by group. Default: each group's own rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_lr: Option<ByGroup>,
    /// Default: `epochs * steps_per_epoch` where both are given, else as many as the run has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_steps: Option<usize>,
    /// Read with `steps_per_epoch` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<usize>,
    /// Read with `epochs` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps_per_epoch: Option<usize>,
    /// Share of the cycle that rises, 0 to 1. Default 0.3.
    pub pct_start: f64,
    /// Default cos.
    pub anneal_strategy: Anneal,
    /// Move momentum (SGD) or beta1 (Adam) against the rate. Default true.
    pub cycle_momentum: bool,
    /// Momentum at the largest rate. Default 0.85.
    pub base_momentum: f64,
    /// Momentum at both ends. Default 0.95.
    pub max_momentum: f64,
    /// Above 0. Default 25.
    pub div_factor: f64,
    /// Above 0. Default 10000.
    pub final_div_factor: f64,
    /// Go back to the first rate before going lower. Default false.
    pub three_phase: bool,
}

impl OneCycle {
    /// Its length, where the settings say one.
    pub(in crate::scheduler) fn length(&self) -> Option<usize> {
        self.total_steps
            .or(self.epochs.zip(self.steps_per_epoch).map(|(epochs, steps)| epochs.saturating_mul(steps)))
    }
}

/// The curve between two rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

/// From `base_lr` up to `max_lr` and down again, over and over (Smith 2017).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cyclic {
    /// Lowest rate: one for all groups or a list by group, the same share of `max_lr` in each. Required.
    pub base_lr: ByGroup,
    /// Highest rate, above 0: one for all groups or a list by group. Required.
    pub max_lr: ByGroup,
    /// Advances from the lowest to the highest, 1 or more. Default 2000.
    pub step_size_up: usize,
    /// Advances back, 1 or more. Default: `step_size_up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_size_down: Option<usize>,
    /// How cycles become smaller. Default triangular.
    pub mode: CyclicMode,
    /// Of exp_range, 0 to 1. Default 1.
    pub gamma: f64,
    /// Move momentum (SGD) or beta1 (Adam) against the rate. Default true.
    pub cycle_momentum: bool,
    /// Momentum at the highest rate. Default 0.8.
    pub base_momentum: f64,
    /// Momentum at the lowest rate. Default 0.9.
    pub max_momentum: f64,
}

impl Cyclic {
    /// The lowest rate as a share of the highest, where it is the same for all groups.
    pub(in crate::scheduler) fn share(&self) -> Option<f64> {
        let groups = self.base_lr.values().len().max(self.max_lr.values().len());
        let mut shares =
            (0..groups).filter_map(|group| Some(self.base_lr.at(group)? / self.max_lr.at(group)?));
        let first = shares.next()?;
        shares.all(|share| (share - first).abs() <= 1e-9 * first).then_some(first)
    }
}

/// How the cycles of a cyclic schedule become smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CyclicMode {
    /// Not at all.
    Triangular,
    /// Each is half as high as the one before.
    Triangular2,
    /// By `gamma` at each advance.
    ExpRange,
}
