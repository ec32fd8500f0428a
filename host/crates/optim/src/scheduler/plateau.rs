//! Reducing rates when a metric stops improving (PyTorch's `ReduceLROnPlateau`).

use serde::{Deserialize, Serialize};
use thaw_plugin_api::monitor::{Mode, mode_of};

use super::config::{ReduceOnPlateau, ThresholdMode};

/// Settings and what has been seen.
#[derive(Clone, Debug)]
pub(super) struct Plateau {
    settings: ReduceOnPlateau,
    mode: Mode,
    counters: Counters,
}

/// What has been seen, for a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Counters {
    /// A value that has come between two steps at which it is looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waiting: Option<f64>,
    /// Best value so far; none before the first that is better than infinitely bad.
    best: Option<f64>,
    num_bad_epochs: usize,
    cooldown_counter: usize,
}

impl Plateau {
    pub(super) fn new(settings: ReduceOnPlateau) -> Plateau {
        let mode = mode_of(&settings.monitor, settings.mode).unwrap_or(Mode::Min);
        Plateau { settings, mode, counters: Counters::default() }
    }

    /// Keeps a value for the next step at which the metric is looked at.
    pub(super) fn offer(&mut self, value: f64) {
        self.counters.waiting = Some(value);
    }

    /// The value that waits, which counts once.
    pub(super) fn take(&mut self) -> Option<f64> {
        self.counters.waiting.take()
    }

    pub(super) fn monitor(&self) -> &str {
        &self.settings.monitor
    }

    pub(super) fn reset(&mut self) {
        self.counters = Counters::default();
    }

    pub(super) fn counters(&self) -> Counters {
        self.counters
    }

    pub(super) fn restore(&mut self, counters: Counters) {
        self.counters = counters;
    }

    /// Lower limit of the group at this position; those past a list's end take its last value.
    pub(super) fn min_lr(&self, index: usize) -> f64 {
        self.settings.min_lr.at(index).unwrap_or(0.0)
    }

    /// Takes a value and tells whether rates are to be reduced.
    pub(super) fn observe(&mut self, value: f64) -> bool {
        let better = self.is_better(value);
        let counters = &mut self.counters;
        if better {
            counters.best = Some(value);
            counters.num_bad_epochs = 0;
        } else {
            counters.num_bad_epochs += 1;
        }
        if counters.cooldown_counter > 0 {
            counters.cooldown_counter -= 1;
            counters.num_bad_epochs = 0;
        }
        if counters.num_bad_epochs <= self.settings.patience {
            return false;
        }
        counters.cooldown_counter = self.settings.cooldown;
        counters.num_bad_epochs = 0;
        true
    }

    /// A rate after a reduction; changes of `eps` or less are left out.
    pub(super) fn reduced(&self, lr: f64, min_lr: f64) -> f64 {
        let reduced = (lr * self.settings.factor).max(min_lr);
        if lr - reduced > self.settings.eps { reduced } else { lr }
    }

    fn is_better(&self, value: f64) -> bool {
        let ReduceOnPlateau { threshold, threshold_mode, .. } = &self.settings;
        let mode = self.mode;
        let best = self.counters.best.unwrap_or(mode.worst());
        let threshold = mode.direction() * threshold;
        let bar = match threshold_mode {
            ThresholdMode::Rel => best * (1.0 + threshold),
            ThresholdMode::Abs => best + threshold,
        };
        mode.is_better(value, bar)
    }
}
