//! Limits of the schedules' values: PyTorch's, and those without which a schedule has no meaning.

use thaw_plugin_api::monitor;

use super::schedules::*;
use crate::optimizer::KeyError;

/// Where a schedule stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The `[scheduler]` table itself.
    Outermost,
    /// Inside another schedule.
    Inner,
}

/// Checks one table.
struct Checks<'a> {
    path: &'a str,
}

impl Checks<'_> {
    fn that(
        &self,
        holds: bool,
        key: &str,
        found: impl std::fmt::Display,
        expected: &str,
    ) -> Result<(), KeyError> {
        if holds {
            return Ok(());
        }
        let (path, key, expected) = (self.path.to_owned(), key.to_owned(), expected.to_owned());
        Err(KeyError { path, key, found: found.to_string(), expected })
    }

    fn counts(&self, key: &str, value: usize) -> Result<(), KeyError> {
        self.that(value >= 1, key, value, "a whole number of 1 or more")
    }

    fn not_negative(&self, key: &str, value: f64) -> Result<(), KeyError> {
        self.that(value.is_finite() && value >= 0.0, key, value, "a number of 0 or more")
    }

    fn positive(&self, key: &str, value: f64) -> Result<(), KeyError> {
        self.that(value.is_finite() && value > 0.0, key, value, "a number above 0")
    }

    fn share(&self, key: &str, value: f64) -> Result<(), KeyError> {
        self.that((0.0..=1.0).contains(&value), key, value, "a number from 0 to 1")
    }

    fn factor(&self, key: &str, value: f64) -> Result<(), KeyError> {
        self.that(value > 0.0 && value <= 1.0, key, value, "a number above 0 and at most 1")
    }

    fn below_one(&self, key: &str, value: f64) -> Result<(), KeyError> {
        self.that((0.0..1.0).contains(&value), key, value, "a number of 0 or more and below 1")
    }
}

/// Checks a schedule and those inside it. `path` is the table it was read from.
pub(super) fn schedule(schedule: &Schedule, path: &str, place: Place) -> Result<(), KeyError> {
    let c = Checks { path };
    match schedule {
        Schedule::Constant { factor, .. } => c.factor("factor", *factor),
        Schedule::Step(step) => {
            c.counts("step_size", step.step_size)?;
            c.not_negative("gamma", step.gamma)
        }
        Schedule::MultiStep(steps) => c.not_negative("gamma", steps.gamma),
        Schedule::Exponential { gamma } => c.not_negative("gamma", *gamma),
        Schedule::Cosine(cosine) => {
            c.counts("T_max", cosine.t_max.unwrap_or(1))?;
            c.not_negative("eta_min", cosine.eta_min)
        }
        Schedule::CosineWarmRestarts(restarts) => {
            c.counts("T_0", restarts.t_0)?;
            c.counts("T_mult", restarts.t_mult)?;
            c.not_negative("eta_min", restarts.eta_min)
        }
        Schedule::Linear(linear) => {
            c.factor("start_factor", linear.start_factor)?;
            c.share("end_factor", linear.end_factor)?;
            c.counts("total_iters", linear.total_iters)
        }
        Schedule::Polynomial(polynomial) => {
            c.counts("total_iters", polynomial.total_iters)?;
            c.not_negative("power", polynomial.power)
        }
        Schedule::Lambda(_) => Ok(()),
        Schedule::OneCycle(cycle) => {
            let is_own = place == Place::Outermost || cycle.max_lr.is_none();
            c.that(
                is_own,
                "max_lr",
                "a rate",
                "none inside another schedule: each group's own rate is the largest there",
            )?;
            one_cycle(&c, cycle)
        }
        Schedule::Cyclic(cycle) => {
            c.that(
                place == Place::Outermost,
                "id",
                schedule.id(),
                "a schedule of each group's own rate: it cannot be inside another",
            )?;
            cyclic(&c, cycle)
        }
        Schedule::ReduceOnPlateau(plateau) => {
            c.that(
                place == Place::Outermost,
                "id",
                schedule.id(),
                "a schedule that needs no metric: it cannot be inside another",
            )?;
            let monitor = &plateau.monitor;
            let way = format!(
                "min or max: the name of metric `{monitor}` does not say whether less or more of it is better"
            );
            c.that(monitor::check(monitor, plateau.mode).is_ok(), "mode", "nothing", &way)?;
            c.below_one("factor", plateau.factor)?;
            c.not_negative("threshold", plateau.threshold)?;
            c.not_negative("eps", plateau.eps)?;
            plateau.min_lr.values().iter().try_for_each(|value| c.not_negative("min_lr", *value))
        }
        Schedule::Sequential(sequential) => {
            each(&c, &sequential.schedulers)?;
            let (count, milestones) = (sequential.schedulers.len(), &sequential.milestones);
            let found = format!("{} for {count} schedulers", milestones.len());
            c.that(
                milestones.len() + 1 == count,
                "milestones",
                found,
                "one fewer than there are schedulers",
            )?;
            let rising =
                milestones.first().is_none_or(|first| *first > 0) && milestones.is_sorted_by(|a, b| a < b);
            c.that(
                rising,
                "milestones",
                format!("{milestones:?}"),
                "numbers above 0, each larger than the one before",
            )
        }
        Schedule::Chained(chained) => each(&c, &chained.schedulers),
        Schedule::Warmup(warmup) => {
            c.counts("total_iters", warmup.total_iters)?;
            c.factor("start_factor", warmup.start_factor)?;
            let inner = warmup.scheduler.as_deref();
            inner.map_or(Ok(()), |inner| self::schedule(inner, &format!("{path}.scheduler"), Place::Inner))
        }
    }
}

/// The schedules inside another.
fn each(c: &Checks, schedulers: &[Schedule]) -> Result<(), KeyError> {
    c.that(!schedulers.is_empty(), "schedulers", "none", "at least one table")?;
    let mut inner = schedulers.iter().enumerate();
    inner.try_for_each(|(index, inner)| {
        schedule(inner, &format!("{}.schedulers[{index}]", c.path), Place::Inner)
    })
}

fn cyclic(c: &Checks, cycle: &Cyclic) -> Result<(), KeyError> {
    cycle.base_lr.values().iter().try_for_each(|value| c.not_negative("base_lr", *value))?;
    cycle.max_lr.values().iter().try_for_each(|value| c.positive("max_lr", *value))?;
    c.that(
        cycle.share().is_some(),
        "base_lr",
        "other shares of max_lr, or none",
        "the same share of max_lr for each group",
    )?;
    c.counts("step_size_up", cycle.step_size_up)?;
    c.counts("step_size_down", cycle.step_size_down.unwrap_or(1))?;
    c.share("gamma", cycle.gamma)?;
    c.below_one("base_momentum", cycle.base_momentum)?;
    c.below_one("max_momentum", cycle.max_momentum)
}

fn one_cycle(c: &Checks, cycle: &OneCycle) -> Result<(), KeyError> {
    let largest = cycle.max_lr.iter().flat_map(ByGroup::values);
    largest.copied().try_for_each(|value| c.not_negative("max_lr", value))?;
    let lengths = [
        ("total_steps", cycle.total_steps),
        ("epochs", cycle.epochs),
        ("steps_per_epoch", cycle.steps_per_epoch),
    ];
    lengths.into_iter().try_for_each(|(key, value)| c.counts(key, value.unwrap_or(1)))?;
    c.that(
        cycle.epochs.is_some() == cycle.steps_per_epoch.is_some(),
        "epochs",
        "it or steps_per_epoch alone",
        "both of them, or total_steps, or none for the length of the run",
    )?;
    c.share("pct_start", cycle.pct_start)?;
    c.below_one("base_momentum", cycle.base_momentum)?;
    c.below_one("max_momentum", cycle.max_momentum)?;
    c.positive("div_factor", cycle.div_factor)?;
    c.positive("final_div_factor", cycle.final_div_factor)
}
