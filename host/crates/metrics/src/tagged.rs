//! What was predicted of samples with any number of labels each.

use super::average::{Average, weighted_mean};
use super::curves::{Counts, area_under_precision, area_under_roc, curve};
use super::metric::{Metric, Score};

/// A label is predicted where its probability is above this, as in torchmetrics.
const THRESHOLD: f64 = 0.5;

/// Samples with a probability for each label, in the order in which they were seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tagged {
    /// Labels of the model's outputs.
    pub labels: usize,
    /// The probability of each label, sample by sample.
    pub probabilities: Vec<f64>,
    /// Which labels each sample has, sample by sample.
    pub present: Vec<bool>,
}

/// How often a label was there and not, and was predicted and not.
#[derive(Clone, Copy, Debug, Default)]
struct Cells {
    hits: u64,
    alarms: u64,
    misses: u64,
    rest: u64,
}

impl Cells {
    fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.alarms += other.alarms;
        self.misses += other.misses;
        self.rest += other.rest;
    }

    fn score(&self, score: Score) -> f64 {
        let Self { hits, alarms, misses, rest } = *self;
        let (part, whole) = match score {
            Score::Precision => (hits, hits + alarms),
            Score::Recall => (hits, hits + misses),
            Score::F1 => (2 * hits, 2 * hits + alarms + misses),
            Score::Specificity => (rest, rest + alarms),
            Score::Jaccard => (hits, hits + alarms + misses),
        };
        if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
    }
}

impl Tagged {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.present.len().checked_div(self.labels).unwrap_or(0)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A metric, torchmetrics' `Multilabel…` of that name; None for one that is not of labels.
    pub(super) fn value(&self, metric: Metric) -> Option<f64> {
        Some(match metric {
            Metric::Accuracy => {
                let all = self.together();
                (all.hits + all.rest) as f64 / (self.present.len().max(1)) as f64
            }
            Metric::Score(score, average) => self.average(score, average),
            Metric::Auroc(average) => self.area(average, |curve, all| Some(area_under_roc(curve, all))),
            Metric::AveragePrecision(average) => {
                // Other than a class that does not occur, such a label is not left out.
                self.area(average, |curve, all| area_under_precision(curve, all).or(Some(0.0)))
            }
            _ => return None,
        })
    }

    fn cells(&self) -> Vec<Cells> {
        let mut cells = vec![Cells::default(); self.labels];
        for (place, (probability, present)) in self.probabilities.iter().zip(&self.present).enumerate() {
            let cell = &mut cells[place % self.labels];
            match (*present, *probability > THRESHOLD) {
                (true, true) => cell.hits += 1,
                (false, true) => cell.alarms += 1,
                (true, false) => cell.misses += 1,
                (false, false) => cell.rest += 1,
            }
        }
        cells
    }

    fn together(&self) -> Cells {
        let mut all = Cells::default();
        self.cells().iter().for_each(|cells| all.add(cells));
        all
    }

    /// Over labels: one that neither was there nor was predicted counts with 0, other than for classes.
    fn average(&self, score: Score, average: Average) -> f64 {
        let weighed = |weight: fn(&Cells) -> f64| {
            weighted_mean(self.cells().iter().map(|cells| (cells.score(score), weight(cells))))
        };
        match average {
            Average::Micro => self.together().score(score),
            Average::Weighted => weighed(|cells| (cells.hits + cells.misses) as f64),
            Average::Binary | Average::Macro => weighed(|_| 1.0),
        }
    }

    fn area(&self, average: Average, area: impl Fn(&[Counts], Counts) -> Option<f64>) -> f64 {
        let of_label = |label: usize| {
            let scores = self.probabilities.iter().skip(label).step_by(self.labels);
            let present = self.present.iter().skip(label).step_by(self.labels);
            let curve = curve(scores.copied().zip(present.copied()));
            let all = curve.last().copied().unwrap_or_default();
            let weight = if average == Average::Weighted { all.positive } else { 1.0 };
            Some((area(&curve, all)?, weight))
        };
        weighted_mean((0..self.labels).filter_map(of_label))
    }

    /// The samples at these positions, which may repeat.
    pub(super) fn at(&self, positions: &[usize]) -> Self {
        let row = |position: &usize| position * self.labels..(position + 1) * self.labels;
        Self {
            labels: self.labels,
            probabilities: positions
                .iter()
                .flat_map(|at| self.probabilities[row(at)].iter().copied())
                .collect(),
            present: positions.iter().flat_map(|at| self.present[row(at)].iter().copied()).collect(),
        }
    }
}
