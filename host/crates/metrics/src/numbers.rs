//! What was predicted of samples of numbers.

use super::correlation::{pearson, spearman};
use super::metric::Metric;

/// Targets below this count as this in shares, as torchmetrics has it.
const LEAST: f64 = 1.17e-6;

/// Numbers of samples, as many for each, in the order in which they were seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Numbers of a sample.
    pub width: usize,
    /// What was predicted, sample by sample.
    pub predicted: Vec<f64>,
    /// What was right.
    pub targets: Vec<f64>,
}

/// Errors of numbers that were not kept, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ErrorSums {
    /// How many.
    pub count: f64,
    /// The sum of their absolute values.
    pub absolute: f64,
    /// The sum of their squares.
    pub squared: f64,
}

impl ErrorSums {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            absolute: self.absolute + other.absolute,
            squared: self.squared + other.squared,
        }
    }

    /// A metric; None for one that sums say nothing of.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::AbsoluteError => Some(self.absolute / self.count),
            Metric::SquaredError => Some(self.squared / self.count),
            Metric::RootSquaredError => Some((self.squared / self.count).sqrt()),
            _ => None,
        }
    }
}

impl Numbers {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.targets.len() / self.width.max(1)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Prediction and target of each number.
    fn pairs(&self) -> impl Iterator<Item = (f64, f64)> {
        self.predicted.iter().copied().zip(self.targets.iter().copied())
    }

    fn sums(&self) -> ErrorSums {
        self.pairs().fold(ErrorSums::default(), |sums, (predicted, target)| {
            let error = predicted - target;
            sums.and(ErrorSums { count: 1.0, absolute: error.abs(), squared: error * error })
        })
    }

    fn mean_of(&self, of: impl Fn(f64, f64) -> f64) -> f64 {
        self.pairs().map(|(predicted, target)| of(predicted, target)).sum::<f64>() / self.targets.len() as f64
    }

    /// The mean over the numbers of a sample, all alike (torchmetrics' `uniform_average`).
    fn mean_over_outputs(&self, of: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
        let column = |values: &[f64], output: usize| -> Vec<f64> {
            values.iter().skip(output).step_by(self.width.max(1)).copied().collect()
        };
        let value = |output| of(&column(&self.predicted, output), &column(&self.targets, output));
        (0..self.width).map(value).sum::<f64>() / self.width as f64
    }

    /// A metric; None for one of classes.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        Some(match metric {
            Metric::AbsoluteError | Metric::SquaredError | Metric::RootSquaredError => {
                return self.sums().value(metric);
            }
            Metric::PercentageError => {
                self.mean_of(|predicted, target| (predicted - target).abs() / target.abs().max(LEAST))
            }
            Metric::SymmetricPercentageError => self.mean_of(|predicted, target| {
                2.0 * (predicted - target).abs() / (target.abs() + predicted.abs()).max(LEAST)
            }),
            Metric::R2 => self.mean_over_outputs(r2),
            Metric::ExplainedVariance => self.mean_over_outputs(explained_variance),
            Metric::Pearson => self.mean_over_outputs(pearson),
            Metric::Spearman => self.mean_over_outputs(spearman),
            _ => return None,
        })
    }

    /// The samples at these positions, which may repeat.
    pub(super) fn at(&self, positions: &[usize]) -> Self {
        let of = |values: &[f64]| {
            let row = |position: &usize| &values[position * self.width..(position + 1) * self.width];
            positions.iter().flat_map(row).copied().collect()
        };
        Self { width: self.width, predicted: of(&self.predicted), targets: of(&self.targets) }
    }
}

/// Without variance of the targets 1 where all is right, else 0. torchmetrics takes sums of squares up to
/// 1e-4 for none, whatever the targets' scale; here only equal targets have none. Of a single sample NaN,
/// where torchmetrics refuses.
fn r2(predicted: &[f64], targets: &[f64]) -> f64 {
    if targets.len() < 2 {
        return f64::NAN;
    }
    let residual =
        predicted.iter().zip(targets).map(|(predicted, target)| (target - predicted).powi(2)).sum();
    share_explained(residual, squares_about_mean(targets))
}

fn explained_variance(predicted: &[f64], targets: &[f64]) -> f64 {
    let errors: Vec<f64> =
        predicted.iter().zip(targets).map(|(predicted, target)| target - predicted).collect();
    share_explained(squares_about_mean(&errors), squares_about_mean(targets))
}

fn share_explained(left: f64, all: f64) -> f64 {
    match (left == 0.0, all == 0.0) {
        (true, _) => 1.0,
        (false, true) => 0.0,
        (false, false) => 1.0 - left / all,
    }
}

/// The sum of squared distances from the mean; exactly 0 where all are equal.
fn squares_about_mean(values: &[f64]) -> f64 {
    if values.iter().all(|value| *value == values[0]) {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum()
}
