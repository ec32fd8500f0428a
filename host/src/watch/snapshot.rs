//! What there is to see of a run at a moment.

use std::collections::{BTreeMap, HashSet};

use thaw_report::Run;
use thaw_report::run::{RunState, What};
use thaw_terminal::escape;

/// At most so many parts of the model are told apart.
const PARTS: usize = 12;

/// What there is to see of a run.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Name of its folder.
    pub name: String,
    /// `running`, `done`, …, with why.
    pub state: String,
    /// Whether it trains.
    pub is_live: bool,
    /// Epochs that are complete, and that there are to be.
    pub epochs: (usize, Option<usize>),
    /// Optimizer steps.
    pub step: usize,
    /// Seconds since it was started.
    pub seconds: Option<f64>,
    /// The best value of the metric that ranks checkpoints: name, epoch from 1, value.
    pub best: Option<(String, usize, f64)>,
    /// Loss and metrics.
    pub curves: Vec<Curve>,
    /// Groups: name and rate.
    pub groups: Vec<(String, Option<f64>)>,
    /// The model from the bottom to the top.
    pub parts: Vec<Part>,
    /// What happened that is worth knowing, oldest first: swaps, requests, lost checkpoints.
    pub events: Vec<String>,
    /// Warnings, oldest first.
    pub warnings: Vec<String>,
}

/// A metric, by epoch from 1.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// `loss`, `acc`, …; `loss of batches`.
    pub name: String,
    /// What its points are counted by.
    pub by: &'static str,
    /// Of training.
    pub train: Vec<(f64, f64)>,
    /// Of validation.
    pub val: Vec<(f64, f64)>,
}

/// A part of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its path.
    pub path: String,
    /// Its parameters that train, and all of them.
    pub trains: (usize, usize),
}

impl Snapshot {
    /// What the records of a run say.
    pub fn of(run: &Run) -> Self {
        let (ranking, _) = run.ranking();
        let last = run.groups.last();
        let trainable: HashSet<&str> =
            last.map(|record| record.trainable.iter().map(String::as_str).collect()).unwrap_or_default();
        let step = run.metrics.last().map_or(0, |record| record.step);
        Self {
            name: escape(&run.name).into_owned(),
            state: state(&run.state),
            is_live: run.state == RunState::Running,
            epochs: (run.epochs(), run.max_epochs()),
            step: step.max(run.history.last().map_or(0, |record| record.step)),
            seconds: run.seconds(),
            best: run.best().map(|(epoch, value)| (escape(&ranking).into_owned(), epoch + 1, value)),
            curves: curves(run),
            groups: last.map_or_else(Vec::new, |record| {
                let group = |group: &thaw_report::run::Group| (escape(&group.name).into_owned(), group.lr);
                record.groups.iter().map(group).collect()
            }),
            // Before the first epoch nobody has said what trains.
            parts: last.map_or_else(Vec::new, |_| parts(run, &trainable)),
            events: run.history.iter().filter_map(|record| event(record.epoch + 1, &record.what)).collect(),
            warnings: run
                .history
                .iter()
                .filter_map(|record| warning(record.epoch + 1, &record.what))
                .collect(),
        }
    }
}

fn state(state: &RunState) -> String {
    match state {
        RunState::Done(Some(reason)) => format!("done: {}", escape(reason)),
        RunState::Failed(reason) => format!("failed: {}", escape(reason)),
        other => other.word().to_owned(),
    }
}

fn event(epoch: usize, what: &What) -> Option<String> {
    let text = match what {
        What::Asked { what } => format!("asked for: {}", escape(what)),
        What::Resumed { checkpoint } => format!("goes on from {}", escape(checkpoint)),
        What::CheckpointLost { name, reason } => {
            format!("checkpoint {} is lost: {}", escape(name), escape(reason))
        }
        _ => return None,
    };
    Some(format!("epoch {epoch}: {text}"))
}

fn warning(epoch: usize, what: &What) -> Option<String> {
    match what {
        What::Warned { text } => Some(format!("epoch {epoch}: {}", escape(text))),
        _ => None,
    }
}

/// Loss first, then metrics in the order in which they came; the loss of batches last.
fn curves(run: &Run) -> Vec<Curve> {
    let mut names: Vec<&str> = Vec::new();
    // How far a cache serves is no metric.
    let is_metric = |name: &&str| !name.ends_with("frozen_cache");
    for metric in run.epoch_metrics().into_iter().filter(is_metric) {
        let name = metric.strip_prefix("train_").or(metric.strip_prefix("val_")).unwrap_or(metric);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort_by_key(|name| *name != "loss");
    let of = |metric: &str| -> Vec<(f64, f64)> {
        let epochs = run.of_epochs(metric).into_iter();
        epochs.map(|(epoch, value)| (epoch as f64 + 1.0, value)).collect()
    };
    let curve = |name: &str| {
        let (train, val) = (of(&format!("train_{name}")), of(&format!("val_{name}")));
        let train = if train.is_empty() && val.is_empty() { of(name) } else { train };
        Curve { name: escape(name).into_owned(), by: "epoch", train, val }
    };
    let mut curves: Vec<Curve> = names.into_iter().map(curve).collect();
    let batches = run.metrics.iter().filter(|record| record.batch.is_some());
    let losses = batches.filter_map(|record| Some((record.step as f64, record.value("train_loss_step")?)));
    let train: Vec<(f64, f64)> = losses.collect();
    if !train.is_empty() {
        curves.push(Curve { name: "loss of batches".to_owned(), by: "step", train, val: Vec::new() });
    }
    curves
}

/// The model by its first names that tell parts apart: `features.0`, `features.1`, …, `head`.
fn parts(run: &Run, trainable: &HashSet<&str>) -> Vec<Part> {
    let at = |depth: usize| -> Vec<Part> {
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        let mut parts: Vec<Part> = Vec::new();
        for module in run.modules.iter().filter(|module| !module.parameters.is_empty()) {
            let path = module.path.split('.').take(depth).collect::<Vec<_>>().join(".");
            let place = *places.entry(path.clone()).or_insert_with(|| {
                parts.push(Part { path: escape(&path).into_owned(), trains: (0, 0) });
                parts.len() - 1
            });
            let trains = module.parameters.iter().filter(|name| trainable.contains(name.as_str())).count();
            parts[place].trains.0 += trains;
            parts[place].trains.1 += module.parameters.len();
        }
        parts
    };
    let deepest = run.modules.iter().map(|module| module.path.split('.').count()).max().unwrap_or(1);
    let mut parts = at(1);
    for depth in 2..=deepest {
        let finer = at(depth);
        if finer.len() > PARTS {
            break;
        }
        parts = finer;
    }
    parts
}
