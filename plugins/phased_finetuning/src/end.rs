//! When a phase ends.

use thaw_plugin_api::monitor::{self, Mode, is_of_validation};
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
#[config(check = Monitor::check)]
pub struct Monitor {
    /// Its name: `val_loss`, `val_acc`, `train_loss`, …. One of validation is looked at in epochs that
    /// validate.
    pub metric: String,
    /// Checks without improvement after which the phase ends.
    #[config(default = 3)]
    pub patience: usize,
    /// Smallest change that is an improvement.
    #[config(default = 0.0, range = 0.0..)]
    pub min_delta: f64,
    /// Whether less or more is better. Default: what the metric's name says; losses and errors are to fall,
    /// accuracies, scores and correlations to rise.
    pub mode: Option<Mode>,
}

impl Monitor {
    fn check(&mut self) -> Result<()> {
        monitor::check(&self.metric, self.mode)
    }

    /// Which way it improves.
    pub(crate) fn direction(&self) -> Result<Mode> {
        monitor::mode_of(&self.metric, self.mode)
    }

    /// Whether the metric comes from validation.
    pub(crate) fn needs_validation(&self) -> bool {
        is_of_validation(&self.metric)
    }

    /// The condition in words.
    pub(crate) fn words(&self) -> String {
        let Self { metric, patience, min_delta, .. } = self;
        let direction = if self.direction().is_ok_and(|mode| mode == Mode::Max) { "risen" } else { "fallen" };
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
    #[serde(flatten)]
    improvements: monitor::Watch,
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
    /// Whether there was a value.
    pub fn has_seen(&self) -> bool {
        self.improvements != monitor::Watch::default()
    }

    /// Takes a value. One that is not finite is no improvement.
    pub fn observe(&mut self, monitor: &Monitor, mode: Mode, value: f64) -> Verdict {
        let value = if value.is_finite() { value } else { f64::NAN };
        let is_best = mode.is_better(value, self.best.unwrap_or(mode.worst()));
        if is_best {
            self.best = Some(value);
        }
        let improved = self.improvements.observe(value, mode, monitor.min_delta);
        Verdict { is_best, ends: !improved && self.improvements.wait_count() >= monitor.patience }
    }
}

#[cfg(test)]
mod tests {
    use thaw_plugin_api::serde_json;

    use super::*;

    /// The position of the value that ends a phase.
    fn end(patience: usize, min_delta: f64, mode: Mode, values: &[f64]) -> Option<usize> {
        let monitor = Monitor { metric: "val_loss".to_owned(), patience, min_delta, mode: Some(mode) };
        let mut watch = Watch::default();
        values.iter().position(|&value| watch.observe(&monitor, mode, value).ends)
    }

    /// Runs of Lightning's callback: `tests/fixtures/early_stopping/generate.py` made them.
    const RECORDED: &str = include_str!("../../../tests/fixtures/early_stopping/early_stopping.json");

    #[test]
    fn a_metric_ends_a_phase_where_it_ends_a_run_of_lightning() -> Result<()> {
        let recorded: Value = serde_json::from_str(RECORDED)?;
        let mut count = 0;
        for case in recorded["cases"].as_array().into_iter().flatten() {
            let parameters = &case["parameters"];
            let values: Option<Vec<f64>> = recorded["sequences"]
                [case["sequence"].as_str().unwrap_or_default()]
            .as_array()
            .and_then(|values| values.iter().map(Value::as_f64).collect());
            // Values that are not finite are another matter here.
            let (Some(values), Some(min_delta)) = (values, parameters["min_delta"].as_f64()) else {
                continue;
            };
            let patience = parameters["patience"].as_u64().unwrap_or_default() as usize;
            let mode = if parameters["mode"] == "max" { Mode::Max } else { Mode::Min };
            let expected = (case["stopping_reason"] != 0)
                .then(|| case["epochs"].as_u64().unwrap_or_default() as usize - 1);
            assert_eq!(end(patience, min_delta, mode, &values), expected, "{case}");
            count += 1;
        }
        assert_eq!(count, 36);
        Ok(())
    }

    #[test]
    fn a_value_that_is_not_finite_is_no_improvement() {
        assert_eq!(end(2, 0.0, Mode::Max, &[0.1, 0.2, f64::NAN, 0.15]), Some(3));
        assert_eq!(end(2, 0.0, Mode::Max, &[0.1, 0.2, f64::INFINITY, 0.15]), Some(3));
    }

    #[test]
    fn the_best_value_needs_no_smallest_change() {
        let monitor = Monitor { metric: "val_acc".to_owned(), patience: 9, min_delta: 0.5, mode: None };
        let mut watch = Watch::default();
        let best: Vec<bool> = [0.5, 0.6, 0.55, 0.7]
            .iter()
            .map(|&value| watch.observe(&monitor, Mode::Max, value).is_best)
            .collect();
        assert_eq!(best, [true, true, false, true]);
    }
}
