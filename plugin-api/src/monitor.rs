//! Metrics that are monitored, by the rules of Lightning's `EarlyStopping` and `ModelCheckpoint`.
//!
//! ```
//! use thaw_plugin_api::monitor::{Mode, Watch};
//!
//! let mut watch = Watch::default();
//! let improved = [0.5, 0.7, 0.7, f64::NAN].map(|val_acc| watch.observe(val_acc, Mode::Max, 0.0));
//! assert_eq!(improved, [true, true, false, false]);
//! assert_eq!((watch.best_score(), watch.wait_count()), (Some(0.7), 2));
//! ```

mod sense;

pub use sense::{check, contradiction, mode_of, sense};
use serde::{Deserialize, Serialize};

use crate::__private::Number;
use crate::config::Config;

/// Which way a metric improves.
#[derive(Clone, Config, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[config(crate = crate)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Less is better.
    Min,
    /// More is better.
    Max,
}

impl Mode {
    /// Whether a value is better than another one. NaN is neither better nor worse than anything.
    pub fn is_better(self, value: f64, than: f64) -> bool {
        match self {
            Self::Min => value < than,
            Self::Max => value > than,
        }
    }

    /// What every finite number is better than.
    pub fn worst(self) -> f64 {
        -self.direction() * f64::INFINITY
    }

    /// The sign of an improvement: -1 where less is better, else 1.
    pub fn direction(self) -> f64 {
        match self {
            Self::Min => -1.0,
            Self::Max => 1.0,
        }
    }
}

impl Mode {
    /// The other one.
    #[must_use]
    pub fn opposite(self) -> Self {
        match self {
            Self::Min => Self::Max,
            Self::Max => Self::Min,
        }
    }
}

/// As run configs have it: `min`, `max`.
impl std::fmt::Display for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Min => "min",
            Self::Max => "max",
        })
    }
}

/// Whether a metric comes from validation, by its name: `val_loss`, `val_acc`, ….
pub fn is_of_validation(metric: &str) -> bool {
    metric.starts_with("val_")
}

/// What was seen of a metric. A callback keeps it in its state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    best_score: Option<Number>,
    wait_count: usize,
}

impl Watch {
    /// Takes a value; gives whether it is an improvement: better than the best one before by more than
    /// `min_delta`.
    pub fn observe(&mut self, value: f64, mode: Mode, min_delta: f64) -> bool {
        let improved =
            mode.is_better(value - mode.direction() * min_delta, self.best_score().unwrap_or(mode.worst()));
        if improved {
            *self = Self { best_score: Some(Number(value)), wait_count: 0 };
        } else {
            self.wait_count += 1;
        }
        improved
    }

    /// The last value that was an improvement.
    pub fn best_score(&self) -> Option<f64> {
        self.best_score.map(|score| score.0)
    }

    /// Values since then. Patience ends at a value that is no improvement, when there were this many.
    pub fn wait_count(&self) -> usize {
        self.wait_count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn improvements(values: &[f64], mode: Mode, min_delta: f64) -> Vec<bool> {
        let mut watch = Watch::default();
        values.iter().map(|value| watch.observe(*value, mode, min_delta)).collect()
    }

    #[test]
    fn a_change_up_to_min_delta_is_no_improvement() {
        assert_eq!(improvements(&[2.0, 1.75, 1.5, 1.25], Mode::Min, 0.25), [true, false, true, false]);
        assert_eq!(improvements(&[1.0, 1.25, 1.5, 1.75], Mode::Max, 0.25), [true, false, true, false]);
        assert_eq!(improvements(&[1.0, 1.0, 0.5], Mode::Min, 0.0), [true, false, true]);
    }

    #[test]
    fn nan_and_the_infinity_that_everything_is_better_than_are_no_improvement() {
        assert_eq!(
            improvements(&[f64::NAN, f64::INFINITY, 1.0, f64::NAN], Mode::Min, 0.0),
            [false, false, true, false]
        );
        assert_eq!(
            improvements(&[f64::NEG_INFINITY, 1.0, f64::INFINITY, 2.0], Mode::Max, 0.0),
            [false, true, true, false]
        );
    }

    #[test]
    fn a_watch_that_was_saved_goes_on_as_before() {
        for values in [&[][..], &[f64::NEG_INFINITY, 1.0], &[2.0, 3.0, 4.0]] {
            let mut watch = Watch::default();
            for value in values {
                watch.observe(*value, Mode::Min, 0.0);
            }
            let saved = serde_json::to_string(&watch).unwrap();
            assert_eq!(serde_json::from_str::<Watch>(&saved).unwrap(), watch, "{saved}");
        }
    }

    #[test]
    fn metrics_of_validation_are_known_by_their_names() {
        assert!(is_of_validation("val_acc") && !is_of_validation("train_loss"));
    }
}
