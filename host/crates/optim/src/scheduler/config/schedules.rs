//! The schedules there are, with PyTorch's option names and defaults.

mod cycles;

pub use cycles::{Anneal, Cyclic, CyclicMode, OneCycle};
use serde::{Deserialize, Serialize};
use thaw_plugin_api::monitor::Mode;

/// A schedule. `t` is how often it has advanced, `lr` a group's rate before, `base` the rate it started with.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "id", rename_all = "kebab-case")]
pub enum Schedule {
    /// `constant`: `base * factor` until `total_iters`, then `base` (PyTorch's `ConstantLR`). With the
    /// default factor of 1 the rate never changes; PyTorch's own default is 1/3.
    Constant {
        /// Above 0, at most 1. Default 1.
        factor: f64,
        /// Default 5.
        total_iters: usize,
    },
    /// `step`: `StepLR`.
    Step(Step),
    /// `multi-step`: `MultiStepLR`.
    MultiStep(MultiStep),
    /// `exponential`: times `gamma` at each advance (`ExponentialLR`).
    Exponential {
        /// 0 or more. Required.
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
    pub const IDS: [&'static str; 15] = [
        "constant",
        "step",
        "multi-step",
        "exponential",
        "cosine",
        "cosine-warm-restarts",
        "linear",
        "polynomial",
        "lambda",
        "one-cycle",
        "cyclic",
        "reduce-on-plateau",
        "sequential",
        "chained",
        "warmup",
    ];

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
        match self {
            Schedule::Constant { .. } => "constant",
            Schedule::Step(_) => "step",
            Schedule::MultiStep(_) => "multi-step",
            Schedule::Exponential { .. } => "exponential",
            Schedule::Cosine(_) => "cosine",
            Schedule::CosineWarmRestarts(_) => "cosine-warm-restarts",
            Schedule::Linear(_) => "linear",
            Schedule::Polynomial(_) => "polynomial",
            Schedule::Lambda(_) => "lambda",
            Schedule::OneCycle(_) => "one-cycle",
            Schedule::Cyclic(_) => "cyclic",
            Schedule::ReduceOnPlateau(_) => "reduce-on-plateau",
            Schedule::Sequential(_) => "sequential",
            Schedule::Chained(_) => "chained",
            Schedule::Warmup(_) => "warmup",
        }
    }
}

/// Times `gamma` at every `step_size`-th advance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// 1 or more. Required.
    pub step_size: usize,
    /// 0 or more. Default 0.1.
    pub gamma: f64,
}

/// Times `gamma` at each milestone.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MultiStep {
    /// Counts at which the rate changes; one that is named twice counts twice. Required.
    pub milestones: Vec<usize>,
    /// 0 or more. Default 0.1.
    pub gamma: f64,
}

/// Half a cosine from `base` down to `eta_min`, and up again past `T_max`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Cosine {
    /// `T_max`: advances down to the minimum. Default: as many as the run (or its place in a sequence) has.
    #[serde(rename = "T_max", skip_serializing_if = "Option::is_none")]
    pub t_max: Option<usize>,
    /// Default 0.
    pub eta_min: f64,
}

/// Half a cosine from `base` down to `eta_min`, again and again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CosineWarmRestarts {
    /// `T_0`: length of the first period, 1 or more. Required.
    #[serde(rename = "T_0")]
    pub t_0: usize,
    /// `T_mult`: each period is so many times the one before, 1 or more. Default 1.
    #[serde(rename = "T_mult")]
    pub t_mult: usize,
    /// Default 0.
    pub eta_min: f64,
}

/// From `base * start_factor` to `base * end_factor` in equal steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Linear {
    /// Above 0, at most 1. Default 1/3.
    pub start_factor: f64,
    /// From 0 to 1. Default 1.
    pub end_factor: f64,
    /// 1 or more. Default 5.
    pub total_iters: usize,
}

/// `base * (1 - t / total_iters) ^ power`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Polynomial {
    /// 1 or more. Default 5.
    pub total_iters: usize,
    /// 0 or more. Default 1.
    pub power: f64,
}

/// `base` times an expression of `epoch` and `step`.
///
/// The one that the schedule's interval names is its count (with `frequency` 1: epochs, or optimizer steps,
/// done); the other one follows from the steps of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lambda {
    /// `lambda` (PyTorch's `lr_lambda` is taken as well): a number or an expression, as `"0.95 ^ epoch"`.
    /// Required.
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

/// A number or an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Factor {
    /// The same always.
    Number(f64),
    /// To be evaluated.
    Expression(String),
}

/// Times `factor` when a metric has stopped improving.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReduceOnPlateau {
    /// The metric. Default `val_loss`.
    pub monitor: String,
    /// Whether less or more is better. Default: what the metric's name says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// 0 or more, below 1. Default 0.1.
    pub factor: f64,
    /// So many values without improvement are borne. Default 10.
    pub patience: usize,
    /// What counts as an improvement, 0 or more. Default 1e-4.
    pub threshold: f64,
    /// Whether the threshold is a share of the best value. Default rel.
    pub threshold_mode: ThresholdMode,
    /// Values after a reduction that count for nothing. Default 0.
    pub cooldown: usize,
    /// Lowest rate: one for all groups or a list by group. Default 0.
    pub min_lr: ByGroup,
    /// Reductions by this or less are left out. Default 1e-8.
    pub eps: f64,
}

/// A number for all groups, or one for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ByGroup {
    /// The same for all groups.
    All(f64),
    /// By position of the group; groups past the end take the last.
    Each(Vec<f64>),
}

impl ByGroup {
    /// That of the group at this position; none in an empty list.
    pub fn at(&self, index: usize) -> Option<f64> {
        let values = self.values();
        values.get(index).or(values.last()).copied()
    }

    /// All of them.
    pub fn values(&self) -> &[f64] {
        match self {
            Self::All(value) => std::slice::from_ref(value),
            Self::Each(values) => values,
        }
    }
}

/// What a threshold is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ThresholdMode {
    /// A share of the best value.
    Rel,
    /// The metric's own unit.
    Abs,
}

/// One schedule after the other, each from its own beginning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sequential {
    /// Tables like this one, without `interval` and `frequency`. Required.
    pub schedulers: Vec<Schedule>,
    /// Counts at which the second and following ones begin, rising; one fewer than there are schedules.
    /// Required.
    pub milestones: Vec<usize>,
}

/// Several schedules at once, each from the rate that the one before it in the list gives.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chained {
    /// Tables like this one, without `interval` and `frequency`. Required.
    pub schedulers: Vec<Schedule>,
}

/// A linear rise to `base`, then another schedule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Warmup {
    /// Length of the rise, 1 or more. Required.
    pub total_iters: usize,
    /// Where it starts, above 0, at most 1. Default 0.01.
    pub start_factor: f64,
    /// What follows, a table like this one. Default: the rate stays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<Box<Schedule>>,
}
