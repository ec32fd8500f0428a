//! Schedules whose rates rise and fall between two limits, momentum the other way round.

use thaw_plugin_api::config::{Config, ConfigError, above};

use super::ByGroup;

/// One cycle: from `max_lr / div_factor` up to `max_lr` and down to `max_lr / div_factor / final_div_factor`.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = OneCycle::check)]
pub struct OneCycle {
    /// Highest rate: one for all groups or a list by group. Default: each group's own.
    #[config(range = 0.0..)]
    pub max_lr: Option<ByGroup>,
    /// Advances of the cycle. Default: `epochs * steps_per_epoch` where both are given, else as many as the
    /// run has.
    #[config(range = 1..)]
    pub total_steps: Option<usize>,
    /// Read with `steps_per_epoch` only.
    #[config(range = 1..)]
    pub epochs: Option<usize>,
    /// Read with `epochs` only.
    #[config(range = 1..)]
    pub steps_per_epoch: Option<usize>,
    /// Share of the cycle that rises.
    #[config(default = 0.3, range = 0.0..=1.0)]
    pub pct_start: f64,
    /// The curve between two rates.
    #[config(default = Anneal::Cos)]
    pub anneal_strategy: Anneal,
    /// Move momentum (SGD) or beta1 (Adam) against the rate.
    #[config(default = true)]
    pub cycle_momentum: bool,
    /// Momentum at the largest rate.
    #[config(default = 0.85, range = 0.0..1.0)]
    pub base_momentum: f64,
    /// Momentum at both ends.
    #[config(default = 0.95, range = 0.0..1.0)]
    pub max_momentum: f64,
    /// The first rate is `max_lr` divided by this.
    #[config(default = 25.0, range = above(0.0))]
    pub div_factor: f64,
    /// The last rate is the first one divided by this.
    #[config(default = 1e4, range = above(0.0))]
    pub final_div_factor: f64,
    /// Go back to the first rate before going lower.
    #[config(default = false)]
    pub three_phase: bool,
}

impl OneCycle {
    fn check(&mut self) -> Result<(), ConfigError> {
        if self.epochs.is_some() == self.steps_per_epoch.is_some() {
            return Ok(());
        }
        let expected = "both of them, or total_steps, or none for the length of the run";
        Err(ConfigError::value("epochs", "there without steps_per_epoch, or the other way round", expected))
    }

    /// Its length, where the settings say one.
    pub(in crate::scheduler) fn length(&self) -> Option<usize> {
        self.total_steps
            .or(self.epochs.zip(self.steps_per_epoch).map(|(epochs, steps)| epochs.saturating_mul(steps)))
    }
}

/// The curve between two rates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Anneal {
    /// Half a cosine.
    Cos,
    /// A straight line.
    Linear,
}

/// From `base_lr` up to `max_lr` and down again, over and over (Smith 2017).
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = Cyclic::check)]
pub struct Cyclic {
    /// Lowest rate: one for all groups or a list by group, the same share of `max_lr` in each.
    #[config(range = 0.0..)]
    pub base_lr: ByGroup,
    /// Highest rate: one for all groups or a list by group.
    #[config(range = above(0.0))]
    pub max_lr: ByGroup,
    /// Advances from the lowest to the highest.
    #[config(default = 2000, range = 1..)]
    pub step_size_up: usize,
    /// Advances back. Default: `step_size_up`.
    #[config(range = 1..)]
    pub step_size_down: Option<usize>,
    /// How cycles become smaller.
    #[config(default = CyclicMode::Triangular)]
    pub mode: CyclicMode,
    /// Of `exp_range`.
    #[config(default = 1.0, range = 0.0..=1.0)]
    pub gamma: f64,
    /// Move momentum (SGD) or beta1 (Adam) against the rate.
    #[config(default = true)]
    pub cycle_momentum: bool,
    /// Momentum at the highest rate.
    #[config(default = 0.8, range = 0.0..1.0)]
    pub base_momentum: f64,
    /// Momentum at the lowest rate.
    #[config(default = 0.9, range = 0.0..1.0)]
    pub max_momentum: f64,
}

impl Cyclic {
    fn check(&mut self) -> Result<(), ConfigError> {
        if self.share().is_some() {
            return Ok(());
        }
        let expected = "the same share of max_lr for each group";
        Err(ConfigError::value("base_lr", "another share of max_lr from group to group, or none", expected))
    }

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum CyclicMode {
    /// Not at all.
    Triangular,
    /// Each is half as high as the one before.
    Triangular2,
    /// By `gamma` at each advance.
    #[config(rename = "exp_range")]
    ExpRange,
}
