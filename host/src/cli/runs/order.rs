//! In which order runs are listed.

use std::cmp::Ordering;
use std::convert::Infallible;
use std::str::FromStr;

use crate::Error;
use thaw_plugin_api::hint;
use thaw_plugin_api::monitor::Mode;
use thaw_report::runs::{Found, mode_among};

/// What runs are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Their names.
    Name,
    /// Their states, by name.
    State,
    /// Epochs that are complete, most first.
    Epochs,
    /// The time that they took, longest first.
    Time,
    /// The best value of a metric, best first.
    Metric(String),
}

impl FromStr for Order {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "name" => Self::Name,
            "state" => Self::State,
            "epochs" => Self::Epochs,
            "time" => Self::Time,
            metric => Self::Metric(metric.to_owned()),
        })
    }
}

impl Order {
    /// The metric, where it is one.
    pub(super) fn metric(&self) -> Option<&str> {
        match self {
            Self::Metric(metric) => Some(metric),
            Self::Name | Self::State | Self::Epochs | Self::Time => None,
        }
    }

    /// Sorts runs that come by name.
    ///
    /// # Errors
    /// No run has the metric.
    pub(super) fn sort(&self, runs: &mut [Found]) -> Result<(), Error> {
        match self {
            Self::Name => {}
            Self::State => runs.sort_by_key(|found| found.run.state.word()),
            Self::Epochs => runs.sort_by_key(|found| std::cmp::Reverse(found.run.epochs())),
            Self::Time => runs.sort_by(|one, other| {
                let time = |found: &Found| found.run.seconds().unwrap_or(-1.0);
                time(other).total_cmp(&time(one))
            }),
            Self::Metric(metric) => by_metric(runs, metric)?,
        }
        Ok(())
    }
}

fn by_metric(runs: &mut [Found], metric: &str) -> Result<(), Error> {
    if !runs.is_empty() && runs.iter().all(|found| found.run.best_of(metric).is_none()) {
        let mut names: Vec<&str> = runs.iter().flat_map(|found| found.run.epoch_metrics()).collect();
        names.sort_unstable();
        names.dedup();
        let hint = hint(metric, names.iter().copied().chain(["name", "state", "epochs", "time"]));
        return Err(Error::Usage(format!(
            "--sort {metric}: no run has such a metric; there are: name, state, epochs, time, {}{hint}",
            names.join(", ")
        )));
    }
    let mode = mode_among(runs, metric);
    let value = |found: &Found| found.run.best_of(metric).map(|(_, value)| value);
    runs.sort_by(|one, other| match (value(one), value(other)) {
        (Some(one), Some(other)) if mode == Some(Mode::Max) => other.total_cmp(&one),
        (Some(one), Some(other)) => one.total_cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    Ok(())
}
