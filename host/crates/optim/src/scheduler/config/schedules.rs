//! The schedules there are, with PyTorch's option names and defaults.

mod combined;
mod cycles;
mod numbers;

pub use combined::{Chained, Sequential, Warmup};
pub use cycles::{Anneal, Cyclic, CyclicMode, OneCycle};
pub use numbers::Factor;
pub use thaw_plugin_api::config::ByGroup;
use thaw_plugin_api::config::{Config, ConfigError, above_to};
use thaw_plugin_api::monitor::{self, Mode};

/// A schedule. `t` is how often it has advanced, `lr` a group's rate before, `base` the rate it started with.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(tag = "id", definition = "schedule")]
pub enum Schedule {
    /// `constant`: `base * factor` until `total_iters`, then `base` (PyTorch's `ConstantLR`). With the
    /// default factor of 1 the rate never changes; PyTorch's own default is 1/3.
    Constant {
        /// Share of the rate.
        #[config(default = 1.0, range = above_to(0.0, 1.0))]
        factor: f64,
        /// Advances until the rate is whole.
        #[config(default = 5)]
        total_iters: usize,
    },
    /// `step`: `StepLR`.
    Step(Step),
    /// `multi-step`: `MultiStepLR`.
    MultiStep(MultiStep),
    /// `exponential`: times `gamma` at each advance (`ExponentialLR`).
    Exponential {
        /// What the rate is multiplied by.
        #[config(range = 0.0..)]
        gamma: f64,
    },
    /// `cosine`: `CosineAnnealingLR`.
    Cosine(Cosine),
    /// `cosine-warm-restarts`: `CosineAnnealingWarmRestarts`.
    CosineWarmRestarts(CosineWarmRestarts),
    /// `linear`: `LinearLR`.
    Linear(Linear),
    /// `polynomial`: `PolynomialLR`.
    Polynomial(Polynomial),
    /// `lambda`: `LambdaLR`.
    Lambda(Lambda),
    /// `one-cycle`: `OneCycleLR`.
    OneCycle(OneCycle),
    /// `cyclic`: `CyclicLR`.
    Cyclic(Cyclic),
    /// `reduce-on-plateau`: `ReduceLROnPlateau`.
    ReduceOnPlateau(ReduceOnPlateau),
    /// `sequential`: `SequentialLR`.
    Sequential(Sequential),
    /// `chained`: `ChainedScheduler`.
    Chained(Chained),
    /// `warmup`: a linear rise, then another schedule.
    Warmup(Warmup),
}

impl Schedule {
    /// Ids of all schedules.
    pub const IDS: [&'static str; 15] = Self::TAGS;

    /// The metric that it waits for, and the `mode` of its table.
    pub fn monitor(&self) -> Option<(&str, Option<Mode>)> {
        match self {
            Schedule::ReduceOnPlateau(plateau) => Some((&plateau.monitor, plateau.mode)),
            _ => None,
        }
    }

    /// Whether its rates depend on how long the run is.
    pub fn spans_the_run(&self) -> bool {
        match self {
            Schedule::Cosine(cosine) => cosine.t_max.is_none(),
            Schedule::OneCycle(cycle) => cycle.length().is_none(),
            Schedule::Sequential(sequential) => sequential.schedulers.last().is_some_and(Self::spans_the_run),
            Schedule::Chained(chained) => chained.schedulers.iter().any(Self::spans_the_run),
            Schedule::Warmup(warmup) => warmup.scheduler.as_deref().is_some_and(Self::spans_the_run),
            _ => false,
        }
    }

    /// Its id, as in the table.
    pub fn id(&self) -> &'static str {
        self.tag()
    }
}

/// Times `gamma` at every `step_size`-th advance.
#[derive(Clone, Copy, Debug, PartialEq, Config)]
pub struct Step {
    /// Advances from one change to the next.
    #[config(range = 1..)]
    pub step_size: usize,
    /// What the rate is multiplied by.
    #[config(default = 0.1, range = 0.0..)]
    pub gamma: f64,
}

/// Times `gamma` at each milestone.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct MultiStep {
    /// Counts at which the rate changes; one that is named twice counts twice.
    pub milestones: Vec<usize>,
    /// What the rate is multiplied by.
    #[config(default = 0.1, range = 0.0..)]
    pub gamma: f64,
}

/// Half a cosine from `base` down to `eta_min`, and up again past `T_max`.
#[derive(Clone, Copy, Debug, PartialEq, Config)]
pub struct Cosine {
    /// Advances down to the minimum. Default: as many as the run (or its place in a sequence) has.
    #[config(rename = "T_max", range = 1..)]
    pub t_max: Option<usize>,
    /// Lowest rate.
    #[config(default = 0.0, range = 0.0..)]
    pub eta_min: f64,
}

/// Half a cosine from `base` down to `eta_min`, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Config)]
pub struct CosineWarmRestarts {
    /// Length of the first period.
    #[config(rename = "T_0", range = 1..)]
    pub t_0: usize,
    /// Each period is so many times the one before.
    #[config(rename = "T_mult", default = 1, range = 1..)]
    pub t_mult: usize,
    /// Lowest rate.
    #[config(default = 0.0, range = 0.0..)]
    pub eta_min: f64,
}

/// From `base * start_factor` to `base * end_factor` in equal steps.
#[derive(Clone, Copy, Debug, PartialEq, Config)]
pub struct Linear {
    /// Share of the rate at the start.
    #[config(default = 1.0 / 3.0, range = above_to(0.0, 1.0))]
    pub start_factor: f64,
    /// Share of the rate at the end.
    #[config(default = 1.0, range = 0.0..=1.0)]
    pub end_factor: f64,
    /// Advances from the start to the end.
    #[config(default = 5, range = 1..)]
    pub total_iters: usize,
}

/// `base * (1 - t / total_iters) ^ power`.
#[derive(Clone, Copy, Debug, PartialEq, Config)]
pub struct Polynomial {
    /// Advances down to 0.
    #[config(default = 5, range = 1..)]
    pub total_iters: usize,
    /// Power of what is left.
    #[config(default = 1.0, range = 0.0..)]
    pub power: f64,
}

/// `base` times an expression of `epoch` and `step`.
///
/// The one that the schedule's interval names is its count (with `frequency` 1: epochs, or optimizer steps,
/// done); the other one follows from the steps of an epoch.
#[derive(Clone, Debug, PartialEq, Config)]
pub struct Lambda {
    /// A number or an expression, as `"0.95 ^ epoch"`.
    #[config(alias = "lr_lambda")]
    pub lambda: Factor,
}

impl Lambda {
    pub(in crate::scheduler) fn text(&self) -> String {
        match &self.lambda {
            Factor::Number(number) => number.to_string(),
            Factor::Expression(text) => text.clone(),
        }
    }
}

/// Times `factor` when a metric has stopped improving.
#[derive(Clone, Debug, PartialEq, Config)]
#[config(check = ReduceOnPlateau::check)]
pub struct ReduceOnPlateau {
    /// The metric.
    #[config(default = "val_loss")]
    pub monitor: String,
    /// Whether less or more is better. Default: what the metric's name says.
    pub mode: Option<Mode>,
    /// What the rate is multiplied by.
    #[config(default = 0.1, range = 0.0..1.0)]
    pub factor: f64,
    /// So many values without improvement are borne.
    #[config(default = 10)]
    pub patience: usize,
    /// What counts as an improvement.
    #[config(default = 1e-4, range = 0.0..)]
    pub threshold: f64,
    /// Whether the threshold is a share of the best value.
    #[config(default = ThresholdMode::Rel)]
    pub threshold_mode: ThresholdMode,
    /// Values after a reduction that count for nothing.
    #[config(default = 0)]
    pub cooldown: usize,
    /// Lowest rate: one for all groups or a list by group.
    #[config(default = ByGroup::All(0.0), range = 0.0..)]
    pub min_lr: ByGroup,
    /// Reductions by this or less are left out.
    #[config(default = 1e-8, range = 0.0..)]
    pub eps: f64,
}

impl ReduceOnPlateau {
    fn check(&mut self) -> Result<(), ConfigError> {
        let monitor = &self.monitor;
        if monitor::check(monitor, self.mode).is_ok() {
            return Ok(());
        }
        let expected = format!(
            "min or max: the name of metric `{monitor}` does not say whether less or more of it is better"
        );
        Err(ConfigError::value("mode", "not there", expected))
    }
}

/// What a threshold is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum ThresholdMode {
    /// A share of the best value.
    Rel,
    /// The metric's own unit.
    Abs,
}
