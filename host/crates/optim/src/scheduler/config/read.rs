//! From a table to a [`Schedule`].

use serde_json::{Map, Value};

use super::check::Place;
use super::schedules::*;
use crate::optimizer::KeyError;
use crate::optimizer::table::Table;

const COUNT: &str = "a whole number of 0 or more";
const POSITIVE: &str = "a whole number of 1 or more";
const NUMBER: &str = "a number";
const FLAG: &str = "true or false";
const BY_GROUP: &str = "a number, or a list of numbers by group";

/// Keys of a schedule's own.
fn keys(id: &str) -> &'static [&'static str] {
    match id {
        "constant" => &["factor", "total_iters"],
        "step" => &["step_size", "gamma"],
        "multi-step" => &["milestones", "gamma"],
        "exponential" => &["gamma"],
        "cosine" => &["T_max", "eta_min"],
        "cosine-warm-restarts" => &["T_0", "T_mult", "eta_min"],
        "linear" => &["start_factor", "end_factor", "total_iters"],
        "polynomial" => &["total_iters", "power"],
        "lambda" => &["lambda", "lr_lambda"],
        "one-cycle" => &[
            "max_lr",
            "total_steps",
            "epochs",
            "steps_per_epoch",
            "pct_start",
            "anneal_strategy",
            "cycle_momentum",
            "base_momentum",
            "max_momentum",
            "div_factor",
            "final_div_factor",
            "three_phase",
        ],
        "cyclic" => &[
            "base_lr",
            "max_lr",
            "step_size_up",
            "step_size_down",
            "mode",
            "gamma",
            "cycle_momentum",
            "base_momentum",
            "max_momentum",
        ],
        "reduce-on-plateau" => &[
            "monitor",
            "mode",
            "factor",
            "patience",
            "threshold",
            "threshold_mode",
            "cooldown",
            "min_lr",
            "eps",
        ],
        "sequential" => &["schedulers", "milestones"],
        "chained" => &["schedulers"],
        "warmup" => &["total_iters", "start_factor", "scheduler"],
        _ => &[],
    }
}

/// Reads the table of a schedule, without `interval` and `frequency`.
pub(super) fn schedule(mut table: Table, place: Place) -> Result<Schedule, KeyError> {
    let id = table.id(&Schedule::IDS)?;
    match place {
        Place::Outermost => table.only(id, &[keys(id), &["interval", "frequency"]].concat())?,
        Place::Inner => table.only(&format!("{id} in another schedule"), keys(id))?,
    }
    let t = &mut table;
    Ok(match id {
        "constant" => Schedule::Constant {
            factor: t.or("factor", NUMBER, 1.0)?,
            total_iters: t.or("total_iters", COUNT, 5)?,
        },
        "step" => Schedule::Step(Step {
            step_size: t.required("step_size", POSITIVE)?,
            gamma: t.or("gamma", NUMBER, 0.1)?,
        }),
        "multi-step" => Schedule::MultiStep(MultiStep {
            milestones: t.required("milestones", "a list of whole numbers")?,
            gamma: t.or("gamma", NUMBER, 0.1)?,
        }),
        "exponential" => Schedule::Exponential { gamma: t.required("gamma", NUMBER)? },
        "cosine" => Schedule::Cosine(Cosine {
            t_max: t.get("T_max", POSITIVE)?,
            eta_min: t.or("eta_min", NUMBER, 0.0)?,
        }),
        "cosine-warm-restarts" => Schedule::CosineWarmRestarts(CosineWarmRestarts {
            t_0: t.required("T_0", POSITIVE)?,
            t_mult: t.or("T_mult", POSITIVE, 1)?,
            eta_min: t.or("eta_min", NUMBER, 0.0)?,
        }),
        "linear" => Schedule::Linear(Linear {
            start_factor: t.or("start_factor", NUMBER, 1.0 / 3.0)?,
            end_factor: t.or("end_factor", NUMBER, 1.0)?,
            total_iters: t.or("total_iters", POSITIVE, 5)?,
        }),
        "polynomial" => Schedule::Polynomial(Polynomial {
            total_iters: t.or("total_iters", POSITIVE, 5)?,
            power: t.or("power", NUMBER, 1.0)?,
        }),
        "lambda" => Schedule::Lambda(lambda(t)?),
        "one-cycle" => Schedule::OneCycle(one_cycle(t)?),
        "cyclic" => Schedule::Cyclic(cyclic(t)?),
        "reduce-on-plateau" => Schedule::ReduceOnPlateau(plateau(t)?),
        "sequential" => Schedule::Sequential(Sequential {
            schedulers: inner(t)?,
            milestones: t.required("milestones", "a list of whole numbers")?,
        }),
        "chained" => Schedule::Chained(Chained { schedulers: inner(t)? }),
        _ => Schedule::Warmup(warmup(t)?),
    })
}

fn lambda(t: &mut Table) -> Result<Lambda, KeyError> {
    const EXPECTED: &str = "a number or an expression of epoch and step";
    let other = t.get("lr_lambda", EXPECTED)?;
    match (t.get("lambda", EXPECTED)?, other) {
        (Some(_), Some(_)) => Err(t.error("lr_lambda", "a second expression", "lambda alone")),
        (Some(lambda), None) | (None, Some(lambda)) => Ok(Lambda { lambda }),
        (None, None) => Err(t.error("lambda", "nothing", EXPECTED)),
    }
}

fn one_cycle(t: &mut Table) -> Result<OneCycle, KeyError> {
    Ok(OneCycle {
        max_lr: t.get("max_lr", BY_GROUP)?,
        total_steps: t.get("total_steps", POSITIVE)?,
        epochs: t.get("epochs", POSITIVE)?,
        steps_per_epoch: t.get("steps_per_epoch", POSITIVE)?,
        pct_start: t.or("pct_start", NUMBER, 0.3)?,
        anneal_strategy: t.or("anneal_strategy", "cos or linear", Anneal::Cos)?,
        cycle_momentum: t.or("cycle_momentum", FLAG, true)?,
        base_momentum: t.or("base_momentum", NUMBER, 0.85)?,
        max_momentum: t.or("max_momentum", NUMBER, 0.95)?,
        div_factor: t.or("div_factor", NUMBER, 25.0)?,
        final_div_factor: t.or("final_div_factor", NUMBER, 1e4)?,
        three_phase: t.or("three_phase", FLAG, false)?,
    })
}

fn cyclic(t: &mut Table) -> Result<Cyclic, KeyError> {
    Ok(Cyclic {
        base_lr: t.required("base_lr", BY_GROUP)?,
        max_lr: t.required("max_lr", BY_GROUP)?,
        step_size_up: t.or("step_size_up", POSITIVE, 2000)?,
        step_size_down: t.get("step_size_down", POSITIVE)?,
        mode: t.or("mode", "triangular, triangular2 or exp_range", CyclicMode::Triangular)?,
        gamma: t.or("gamma", NUMBER, 1.0)?,
        cycle_momentum: t.or("cycle_momentum", FLAG, true)?,
        base_momentum: t.or("base_momentum", NUMBER, 0.8)?,
        max_momentum: t.or("max_momentum", NUMBER, 0.9)?,
    })
}

fn plateau(t: &mut Table) -> Result<ReduceOnPlateau, KeyError> {
    Ok(ReduceOnPlateau {
        monitor: t.or("monitor", "the name of a metric", "val_loss".to_owned())?,
        mode: t.get("mode", "min or max")?,
        factor: t.or("factor", NUMBER, 0.1)?,
        patience: t.or("patience", COUNT, 10)?,
        threshold: t.or("threshold", NUMBER, 1e-4)?,
        threshold_mode: t.or("threshold_mode", "rel or abs", ThresholdMode::Rel)?,
        cooldown: t.or("cooldown", COUNT, 0)?,
        min_lr: t.or("min_lr", BY_GROUP, ByGroup::All(0.0))?,
        eps: t.or("eps", NUMBER, 1e-8)?,
    })
}

/// The tables of `schedulers`.
fn inner(t: &mut Table) -> Result<Vec<Schedule>, KeyError> {
    let tables: Vec<Map<String, Value>> = t.required("schedulers", "a list of tables, each with an id")?;
    let inner = tables.into_iter().enumerate().map(|(i, keys)| {
        let path = format!("{}.schedulers[{i}]", t.path());
        schedule(Table::new(path, keys), Place::Inner)
    });
    inner.collect()
}

fn warmup(t: &mut Table) -> Result<Warmup, KeyError> {
    let after: Option<Map<String, Value>> = t.get("scheduler", "a table with an id")?;
    let path = format!("{}.scheduler", t.path());
    let scheduler =
        after.map(|keys| schedule(Table::new(path, keys), Place::Inner)).transpose()?.map(Box::new);
    Ok(Warmup {
        total_iters: t.required("total_iters", POSITIVE)?,
        start_factor: t.or("start_factor", NUMBER, 0.01)?,
        scheduler,
    })
}
