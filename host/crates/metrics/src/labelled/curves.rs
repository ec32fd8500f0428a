//! Areas under curves of a score against a class: over thresholds, equal scores counting together.

use super::Labelled;
use crate::average::{Average, weighted_mean};

/// A threshold's counts: samples of the class and of others whose score is at least that.
#[derive(Clone, Copy, Default)]
struct Counts {
    positive: f64,
    negative: f64,
}

/// Area under the receiver operating characteristic. A class without samples, or that all samples are of,
/// counts with 0, as torchmetrics has it.
pub fn auroc(samples: &Labelled, average: Average) -> f64 {
    mean(samples, average, |curve, all| {
        let mut before = Counts::default();
        let mut area = 0.0;
        for at in curve {
            area += (at.negative - before.negative) * (at.positive + before.positive) / 2.0;
            before = *at;
        }
        let whole = all.positive * all.negative;
        Some(if whole == 0.0 { 0.0 } else { area / whole })
    })
}

/// Average precision: precisions weighted by the steps of recall. A class without samples is left out;
/// torchmetrics does the same unless all samples are of the first class, when it counts the others with 0.
pub fn average_precision(samples: &Labelled, average: Average) -> f64 {
    mean(samples, average, |curve, all| {
        let mut before = 0.0;
        let mut sum = 0.0;
        for at in curve {
            sum += (at.positive - before) * at.positive / (at.positive + at.negative);
            before = at.positive;
        }
        (all.positive > 0.0).then(|| sum / all.positive)
    })
}

/// The mean over classes of the area under each one's curve, which has all counts at its end; classes that
/// have none are left out.
fn mean(samples: &Labelled, average: Average, area: impl Fn(&[Counts], Counts) -> Option<f64>) -> f64 {
    let support = samples.support();
    let of_class = |class: usize| {
        let weight = match average {
            Average::Weighted => support[class] as f64,
            Average::Binary | Average::Micro | Average::Macro => 1.0,
        };
        let curve = curve(samples, class);
        let all = curve.last().copied().unwrap_or_default();
        Some((area(&curve, all)?, weight))
    };
    weighted_mean((0..samples.classes).filter_map(of_class))
}

/// Counts at each score that there is, from the highest down.
fn curve(samples: &Labelled, class: usize) -> Vec<Counts> {
    let scores = samples.probabilities.iter().skip(class).step_by(samples.classes.max(1));
    let mut scored: Vec<(f64, bool)> =
        scores.zip(&samples.labels).map(|(score, label)| (*score, *label == class)).collect();
    scored.sort_unstable_by(|one, other| other.0.total_cmp(&one.0));
    let mut counts = Vec::new();
    let mut now = Counts::default();
    for group in scored.chunk_by(|one, other| one.0 == other.0) {
        let positive = group.iter().filter(|(_, is_of_class)| *is_of_class).count();
        now.positive += positive as f64;
        now.negative += (group.len() - positive) as f64;
        counts.push(now);
    }
    counts
}
