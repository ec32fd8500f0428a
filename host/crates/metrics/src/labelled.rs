//! What was predicted of samples of classes.

use super::agreement::{kappa, matthews};
use super::average::{Average, weighted_mean};
use super::calibration::Calibration;
use super::confusion::Confusion;
use super::curves::{Counts, area_under_precision, area_under_roc, curve};
use super::metric::Metric;
use super::scores::Scores;

/// Samples with one label each, in the order in which they were seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labelled {
    /// Classes of the model's outputs.
    pub classes: usize,
    /// The class of each sample, below `classes`.
    pub labels: Vec<usize>,
    /// The likeliest class of each.
    pub predicted: Vec<usize>,
    /// How many classes are likelier than the sample's own, of equal ones those before it; empty where nobody
    /// needs them.
    pub ranks: Vec<usize>,
    /// The probability of the predicted class.
    pub confidences: Vec<f64>,
    /// The probability of each class, sample by sample; empty where nobody needs them.
    pub probabilities: Vec<f64>,
}

impl Labelled {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Samples by class and predicted class.
    pub fn confusion(&self) -> Confusion {
        Confusion::of(self.classes, self.labels.iter().copied().zip(self.predicted.iter().copied()))
    }

    /// Predictions by their probability.
    pub fn calibration(&self) -> Calibration {
        let hits = self.labels.iter().zip(&self.predicted).map(|(label, predicted)| label == predicted);
        Calibration::of(self.confidences.iter().copied().zip(hits))
    }

    /// Samples of each class.
    pub fn support(&self) -> Vec<usize> {
        let mut support = vec![0; self.classes];
        self.labels.iter().for_each(|label| support[*label] += 1);
        support
    }

    /// A metric; None for one of numbers.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        let confusion = || self.confusion();
        let scores = || Scores::of(self.classes, confusion().counts());
        Some(match metric {
            Metric::Accuracy => {
                self.share(self.labels.iter().zip(&self.predicted).filter(|(a, b)| a == b).count())
            }
            Metric::Top(k) => self.share(self.ranks.iter().filter(|rank| **rank < k).count()),
            Metric::Score(score, average) => scores().average(score, average),
            Metric::Matthews => matthews(&confusion()),
            Metric::Kappa(disagreement) => kappa(&confusion(), disagreement),
            Metric::Auroc(average) => self.area(average, |curve, all| Some(area_under_roc(curve, all))),
            Metric::AveragePrecision(average) => self.area(average, area_under_precision),
            Metric::CalibrationError => self.calibration().error(),
            _ => return None,
        })
    }

    /// The mean over classes of the area under each one's curve; classes that have none are left out.
    fn area(&self, average: Average, area: impl Fn(&[Counts], Counts) -> Option<f64>) -> f64 {
        let support = self.support();
        let of_class = |class: usize| {
            let weight = match average {
                Average::Weighted => support[class] as f64,
                Average::Binary | Average::Micro | Average::Macro => 1.0,
            };
            let scores = self.probabilities.iter().skip(class).step_by(self.classes.max(1));
            let curve = curve(scores.zip(&self.labels).map(|(score, label)| (*score, *label == class)));
            let all = curve.last().copied().unwrap_or_default();
            Some((area(&curve, all)?, weight))
        };
        weighted_mean((0..self.classes).filter_map(of_class))
    }

    fn share(&self, count: usize) -> f64 {
        if self.is_empty() { 0.0 } else { count as f64 / self.len() as f64 }
    }

    /// The samples at these positions, which may repeat.
    pub(super) fn at(&self, positions: &[usize]) -> Self {
        let of = |values: &[usize]| {
            positions.iter().filter_map(|position| values.get(*position).copied()).collect()
        };
        let width = if self.probabilities.is_empty() { 0 } else { self.classes };
        let row =
            |position: &usize| self.probabilities[position * width..(position + 1) * width].iter().copied();
        Self {
            classes: self.classes,
            labels: of(&self.labels),
            predicted: of(&self.predicted),
            ranks: of(&self.ranks),
            confidences: positions.iter().map(|position| self.confidences[*position]).collect(),
            probabilities: positions.iter().flat_map(row).collect(),
        }
    }
}
