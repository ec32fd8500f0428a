//! What a pass over data gave, for metrics.

use super::labelled::Labelled;
use super::metric::Metric;
use super::numbers::{ErrorSums, Numbers};
use super::tagged::Tagged;

/// Predictions beside what was right.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Outcomes {
    /// Nothing that a metric is of.
    #[default]
    None,
    /// Of classes.
    Labelled(Labelled),
    /// Of several labels a sample.
    Tagged(Tagged),
    /// Of numbers.
    Numbers(Numbers),
    /// Of numbers that were not kept.
    Sums(ErrorSums),
}

impl Outcomes {
    /// A metric of them; None where it is of something else, or there is nothing.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        match self {
            Self::Labelled(samples) if !samples.is_empty() => samples.value(metric),
            Self::Tagged(samples) if !samples.is_empty() => samples.value(metric),
            Self::Numbers(samples) if !samples.is_empty() => samples.value(metric),
            Self::Sums(sums) if sums.count > 0.0 => sums.value(metric),
            _ => None,
        }
    }

    /// How many classes have a sample; 0 where samples have no class.
    pub fn classes_met(&self) -> usize {
        match self {
            Self::Labelled(samples) => samples.support().iter().filter(|support| **support > 0).count(),
            Self::Tagged(_) | Self::Numbers(_) | Self::None | Self::Sums(_) => 0,
        }
    }

    /// How many samples are kept.
    pub fn kept(&self) -> usize {
        match self {
            Self::Labelled(samples) => samples.len(),
            Self::Tagged(samples) => samples.len(),
            Self::Numbers(samples) => samples.len(),
            Self::None | Self::Sums(_) => 0,
        }
    }

    /// The kept samples at these positions, which may repeat.
    #[must_use]
    pub fn at(&self, positions: &[usize]) -> Self {
        match self {
            Self::Labelled(samples) => Self::Labelled(samples.at(positions)),
            Self::Tagged(samples) => Self::Tagged(samples.at(positions)),
            Self::Numbers(samples) => Self::Numbers(samples.at(positions)),
            Self::None | Self::Sums(_) => Self::None,
        }
    }
}
