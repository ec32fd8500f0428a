//! Schedules as functions of their count: the rate at the start, the next rate from the one before, and the
//! closed form.

mod build;

use std::f64::consts::PI;

use super::Result;
use super::RunLength;
use super::config::{CosineWarmRestarts, Interval, Linear, MultiStep, Polynomial, Step};
use super::cyclic::Cycles;
use super::expression::Expression;
use super::one_cycle::Curve;

/// A schedule with all its defaults filled in.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// Leaves rates alone (reduce-on-plateau waits for a metric instead).
    Hold,
    /// A factor until `total_iters`.
    Constant {
        factor: f64,
        total_iters: usize,
    },
    Step(Step),
    MultiStep(MultiStep),
    Exponential {
        gamma: f64,
    },
    Cosine {
        t_max: usize,
        eta_min: f64,
    },
    CosineWarmRestarts(CosineWarmRestarts),
    Linear(Linear),
    Polynomial(Polynomial),
    Lambda {
        factor: Box<Expression>,
        interval: Interval,
        /// How many intervals make one advance.
        frequency: usize,
        /// Which steps are in which epoch.
        length: RunLength,
    },
    OneCycle(Box<Curve>),
    Cyclic(Box<Cycles>),
    /// Children with the count at which each begins.
    Sequential(Vec<(usize, Rule)>),
    /// Children one upon the other.
    Chained(Vec<Rule>),
}

/// A group at a moment of a schedule.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// The schedule's count.
    t: usize,
    /// Rate that the closed form scales.
    base: f64,
    /// Rate before this count.
    lr: f64,
}

impl At {
    pub(super) fn of(t: usize, base: f64, lr: f64) -> At {
        At { t, base, lr }
    }
}

impl Rule {
    /// What the schedule scales of a group that is there from the start.
    pub(super) fn start_base(&self, index: usize, initial_lr: f64) -> f64 {
        match self {
            Rule::OneCycle(curve) => curve.max_lr(index, initial_lr),
            Rule::Cyclic(cycles) => cycles.max_lr(index, initial_lr),
            _ => initial_lr,
        }
    }

    /// The first rate, as PyTorch's constructor sets it.
    pub(super) fn initial(&self, at: At) -> Result<f64> {
        Ok(match self {
            Rule::Constant { factor, .. } => at.lr * factor,
            Rule::Linear(linear) => at.lr * linear.start_factor,
            Rule::MultiStep(steps) => at.lr * steps.factor_at(0),
            Rule::Sequential(children) => children[0].1.initial(At { lr: at.base, ..at })?,
            Rule::Chained(children) => {
                children.iter().try_fold(at.lr, |lr, child| child.initial(At { lr, ..at }))?
            }
            Rule::Lambda { .. } | Rule::CosineWarmRestarts(_) | Rule::OneCycle(_) | Rule::Cyclic(_) => {
                self.closed(0, at.base)?
            }
            _ => at.lr,
        })
    }

    /// The rate at count `at.t`, from the one before.
    pub(super) fn next(&self, at: At) -> Result<f64> {
        let At { t, base, lr } = at;
        Ok(match self {
            Rule::Hold => lr,
            Rule::Constant { factor, total_iters } => {
                if t == *total_iters {
                    lr * (1.0 / factor)
                } else {
                    lr
                }
            }
            Rule::Step(step) => {
                if t.is_multiple_of(step.step_size) {
                    lr * step.gamma
                } else {
                    lr
                }
            }
            Rule::MultiStep(steps) => lr * steps.factor_at(t),
            Rule::Exponential { gamma } => lr * gamma,
            Rule::Cosine { t_max, eta_min } => cosine(at, *t_max, *eta_min),
            Rule::Linear(Linear { start_factor, end_factor, total_iters }) => {
                if t > *total_iters {
                    return Ok(lr);
                }
                let rise = end_factor - start_factor;
                // The last factor to 0 may round to just below it.
                lr * (1.0 + rise / (*total_iters as f64 * start_factor + (t - 1) as f64 * rise)).max(0.0)
            }
            Rule::Polynomial(Polynomial { total_iters, power }) => {
                if t > *total_iters {
                    return Ok(lr);
                }
                let left = |t: usize| 1.0 - t as f64 / *total_iters as f64;
                lr * (left(t) / left(t - 1)).powf(*power)
            }
            Rule::Sequential(_) => {
                let (child, t, begins) = self.child(t);
                if begins {
                    child.initial(At { t: 0, base, lr: base })?
                } else {
                    child.next(At { t, base, lr })?
                }
            }
            Rule::Chained(children) => {
                children.iter().try_fold(lr, |lr, child| child.next(At { lr, ..at }))?
            }
            Rule::CosineWarmRestarts(_) | Rule::Lambda { .. } | Rule::OneCycle(_) | Rule::Cyclic(_) => {
                self.closed(t, base)?
            }
        })
    }

    /// Whether the rate at count `t` does not come from the one before, but from the count alone.
    fn is_closed(&self, t: usize) -> bool {
        match self {
            Rule::CosineWarmRestarts(_) | Rule::Lambda { .. } | Rule::OneCycle(_) | Rule::Cyclic(_) => true,
            Rule::Sequential(_) => {
                let (child, t, begins) = self.child(t);
                begins || child.is_closed(t)
            }
            Rule::Chained(children) => children.iter().any(|child| child.is_closed(t)),
            _ => false,
        }
    }

    /// The rate at count `t` that nobody has interfered with. Linear in `base` plus a constant, for every
    /// schedule.
    pub(super) fn closed(&self, t: usize, base: f64) -> Result<f64> {
        let cosine = |eta_min: f64, done: f64| eta_min + (base - eta_min) * (1.0 + (PI * done).cos()) / 2.0;
        Ok(match self {
            Rule::Hold => base,
            Rule::Constant { factor, total_iters } => {
                if t < *total_iters {
                    base * factor
                } else {
                    base
                }
            }
            Rule::Step(step) => base * step.gamma.powf((t / step.step_size) as f64),
            Rule::MultiStep(steps) => base * steps.factor_until(t),
            Rule::Exponential { gamma } => base * gamma.powf(t as f64),
            Rule::Cosine { t_max, eta_min } => cosine(*eta_min, t as f64 / *t_max as f64),
            Rule::CosineWarmRestarts(restarts) => cosine(restarts.eta_min, restarts.done(t)),
            Rule::Linear(Linear { start_factor, end_factor, total_iters }) => {
                let done = t.min(*total_iters) as f64 / *total_iters as f64;
                base * (start_factor + (end_factor - start_factor) * done)
            }
            Rule::Polynomial(Polynomial { total_iters, power }) => {
                base * (1.0 - t.min(*total_iters) as f64 / *total_iters as f64).powf(*power)
            }
            Rule::Lambda { factor, interval, frequency, length } => {
                let at = t.saturating_mul(*frequency);
                base * match interval {
                    Interval::Epoch => {
                        let step = length.steps_before(at).saturating_add_signed(length.extra());
                        factor.eval(t as f64, step as f64)?
                    }
                    Interval::Step => {
                        let counted = at.saturating_add_signed(-length.extra());
                        factor.eval(length.epoch_of(counted) as f64, t as f64)?
                    }
                }
            }
            Rule::OneCycle(curve) => curve.lr(t, base),
            Rule::Cyclic(cycles) => cycles.lr(t, base),
            Rule::Sequential(_) => {
                let (child, t, _) = self.child(t);
                child.closed(t, base)?
            }
            // Such a child takes no notice of those before it, and those after it change what it gives at
            // this count alone.
            Rule::Chained(_) if self.is_closed(t) => {
                let at = At { t, base, lr: base };
                if t == 0 { self.initial(at)? } else { self.next(at)? }
            }
            Rule::Chained(children) => children.iter().try_fold(base, |lr, child| child.closed(t, lr))?,
        })
    }

    /// What the schedule has to scale for a group to have the rate `lr` at count `t`, at least 0. Where the
    /// factor is 0, `lr` itself.
    pub(super) fn base_of(&self, t: usize, lr: f64) -> Result<f64> {
        let constant = self.closed(t, 0.0)?;
        let factor = self.closed(t, 1.0)? - constant;
        let base = (lr - constant) / factor;
        Ok(if factor.abs() > f64::EPSILON && base.is_finite() { base.max(0.0) } else { lr })
    }

    /// The momentum at count `t`, where the schedule cycles it.
    pub(super) fn momentum(&self, t: usize) -> Option<f64> {
        match self {
            Rule::OneCycle(curve) => curve.momentum(t),
            Rule::Cyclic(cycles) => cycles.momentum(t),
            Rule::Chained(children) => children.iter().rev().find_map(|child| child.momentum(t)),
            Rule::Sequential(_) => {
                let (child, t, _) = self.child(t);
                child.momentum(t)
            }
            _ => None,
        }
    }

    /// The child of a sequence at count `t`, its own count, and whether it begins there.
    fn child(&self, t: usize) -> (&Rule, usize, bool) {
        let Rule::Sequential(children) = self else { return (self, t, false) };
        let index = children.partition_point(|(start, _)| *start <= t).saturating_sub(1);
        let (start, child) = &children[index];
        (child, t - start, index > 0 && t == *start)
    }
}

impl MultiStep {
    /// Factor that count `t` brings: `gamma` once for each time it is a milestone.
    fn factor_at(&self, t: usize) -> f64 {
        let times = self.milestones.iter().filter(|milestone| **milestone == t).count();
        self.gamma.powf(times as f64)
    }

    /// Product of the factors up to count `t`.
    fn factor_until(&self, t: usize) -> f64 {
        let times = self.milestones.iter().filter(|milestone| **milestone <= t).count();
        self.gamma.powf(times as f64)
    }
}

impl CosineWarmRestarts {
    /// Share of the period that `t` lies in.
    fn done(&self, mut t: usize) -> f64 {
        let mut period = self.t_0;
        if self.t_mult == 1 {
            t %= period;
        }
        while t >= period {
            t -= period;
            period = period.saturating_mul(self.t_mult);
        }
        t as f64 / period as f64
    }
}

/// The rate at count `at.t` of a cosine with its first minimum `eta_min` at `t_max`, from the one before.
fn cosine(At { t, base, lr }: At, t_max: usize, eta_min: f64) -> f64 {
    let (count, period) = (t as f64, t_max as f64);
    // One past a minimum the ratio below would divide by zero.
    if t > t_max && (t - 1 - t_max).is_multiple_of(2 * t_max) {
        return lr + (base - eta_min) * (1.0 - (PI / period).cos()) / 2.0;
    }
    let ratio = (1.0 + (PI * count / period).cos()) / (1.0 + (PI * (count - 1.0) / period).cos());
    let next = ratio * (lr - eta_min) + eta_min;
    // Past its end a growing factor would drive a group that joined below the minimum below zero: it stays.
    if next < 0.0 { lr } else { next }
}
