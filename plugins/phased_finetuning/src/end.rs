//! When a phase ends.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde::{Deserialize, Serialize};

/// The end of a phase: whichever of these comes first.
#[derive(Clone, Config, Debug)]
#[config(check = End::check)]
pub struct End {
    /// The first epoch of the run, from 0, that does not belong to the phase.
    #[config(range = 1..)]
    pub epoch: Option<usize>,
    /// How many epochs the phase has; the rest of one that it begins in is one.
    #[config(range = 1..)]
    pub after_epochs: Option<usize>,
    /// The optimizer step of the run, counted from 1, after which the phase is over, also inside an epoch.
    #[config(range = 1..)]
    pub step: Option<usize>,
    /// How many optimizer steps the phase has.
    #[config(range = 1..)]
    pub after_steps: Option<usize>,
    /// A metric that stops improving; it is looked at after each epoch.
    pub monitor: Option<Monitor>,
}

impl End {
    fn check(&mut self) -> Result<()> {
        let ends = [self.epoch, self.after_epochs, self.step, self.after_steps];
        ensure!(
            ends.iter().any(Option::is_some) || self.monitor.is_some(),
            "nothing ends the phase, expected at least one of epoch, after_epochs, step, after_steps, monitor"
        );
        Ok(())
    }

    /// The first epoch that does not belong to a phase that began in this one.
    pub(crate) fn epoch_from(&self, start: usize) -> Option<usize> {
        let relative = self.after_epochs.map(|epochs| start + epochs);
        [self.epoch, relative].into_iter().flatten().min()
    }

    /// The optimizer step after which a phase that began after this one is over.
    pub(crate) fn step_from(&self, start: usize) -> Option<usize> {
        let relative = self.after_steps.map(|steps| start + steps);
        [self.step, relative].into_iter().flatten().min()
    }
}

/// A metric to wait for, with the numbers of Lightning's `EarlyStopping`.
#[derive(Clone, Config, Debug)]
pub struct Monitor {
    /// Its name: `val_loss`, `val_acc`, `train_loss`, …. One of validation is looked at in epochs that validate.
    pub metric: String,
    /// Checks without improvement after which the phase ends.
    #[config(default = 3)]
    pub patience: usize,
    /// Smallest change that is an improvement.
    #[config(default = 0.0, range = 0.0..)]
    pub min_delta: f64,
    /// Whether less or more is better.
    #[config(default = Mode::Min)]
    pub mode: Mode,
}

/// Whether less or more is better.
#[derive(Clone, Config, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Less is better.
    Min,
    /// More is better.
    Max,
}

impl Monitor {
    /// Whether the metric comes from validation.
    pub(crate) fn needs_validation(&self) -> bool {
        self.metric.starts_with("val_")
    }

    /// The condition in words.
    pub(crate) fn words(&self) -> String {
        let Self { metric, patience, min_delta, mode } = self;
        let direction = if *mode == Mode::Min { "fallen" } else { "risen" };
        let by = if *min_delta > 0.0 { format!(" by more than {min_delta}") } else { String::new() };
        match patience.max(&1) {
            1 => format!("`{metric}` has not {direction}{by} for an epoch"),
            epochs => format!("`{metric}` has not {direction}{by} for {epochs} epochs"),
        }
    }
}

/// What was seen of a metric in a phase. Nothing of it goes over into the next one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(crate = "thaw_plugin_api::serde")]
pub(crate) struct Watch {
    /// Best value that counts as an improvement (`EarlyStopping.best_score`).
    best_score: Option<f64>,
    /// Checks since then (`EarlyStopping.wait_count`).
    wait_count: usize,
    /// Best value of all, however small the change: that of the checkpoint.
    pub best: Option<f64>,
}

/// What follows from a value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// It is the best one so far.
    pub is_best: bool,
    /// There was no improvement for long enough.
    pub ends: bool,
}

impl Watch {
    /// Takes a value. One that is not finite is no improvement.
    pub fn observe(&mut self, monitor: &Monitor, value: f64) -> Verdict {
        let is_best = value.is_finite() && self.best.is_none_or(|best| monitor.is_better(value, best, 0.0));
        if is_best {
            self.best = Some(value);
        }
        if value.is_finite() && self.best_score.is_none_or(|best| monitor.is_better(value, best, monitor.min_delta)) {
            self.best_score = Some(value);
            self.wait_count = 0;
        } else {
            self.wait_count += 1;
        }
        Verdict { is_best, ends: self.wait_count > 0 && self.wait_count >= monitor.patience }
    }
}

impl Monitor {
    fn is_better(&self, value: f64, best: f64, min_delta: f64) -> bool {
        match self.mode {
            Mode::Min => value + min_delta < best,
            Mode::Max => value - min_delta > best,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(patience: usize, min_delta: f64, mode: Mode, values: &[f64]) -> Option<usize> {
        let monitor = Monitor { metric: "val_loss".to_owned(), patience, min_delta, mode };
        let mut watch = Watch::default();
        values.iter().position(|&value| watch.observe(&monitor, value).ends)
    }

    /// Positions at which Lightning's `EarlyStopping` sets `should_stop`, read off its definition: `wait_count` counts
    /// values that are not better than `best_score` by more than `min_delta`, and stops at `patience`.
    #[test]
    fn a_metric_ends_a_phase_as_early_stopping_would() {
        let falling = [1.0, 0.9, 0.95, 0.91, 0.92, 0.8];
        assert_eq!(watch(3, 0.0, Mode::Min, &falling), Some(4));
        assert_eq!(watch(4, 0.0, Mode::Min, &falling), None);
        assert_eq!(watch(1, 0.0, Mode::Min, &falling), Some(2));
        assert_eq!(watch(0, 0.0, Mode::Min, &falling), Some(2), "an improvement never ends a phase");
        assert_eq!(watch(2, 0.2, Mode::Min, &falling), Some(2), "0.1 less is no improvement of more than 0.2");
        assert_eq!(watch(2, 0.0, Mode::Max, &falling), Some(2));
        assert_eq!(watch(2, 0.0, Mode::Max, &[0.1, 0.2, f64::NAN, 0.15]), Some(3), "NaN is no improvement");
    }

    #[test]
    fn the_best_value_needs_no_smallest_change() {
        let monitor = Monitor { metric: "val_acc".to_owned(), patience: 9, min_delta: 0.5, mode: Mode::Max };
        let mut watch = Watch::default();
        let best: Vec<bool> = [0.5, 0.6, 0.55, 0.7].iter().map(|&value| watch.observe(&monitor, value).is_best).collect();
        assert_eq!(best, [true, true, false, true]);
    }
}
