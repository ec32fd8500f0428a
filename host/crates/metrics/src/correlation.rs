//! Correlation of predictions and targets.

/// Keeps torchmetrics' ranks without variance from a division by zero.
const EPSILON: f64 = 1e-6;

/// Sums of products of the distances from the means: of one with itself, of the other with itself, of both.
fn moments(one: &[f64], other: &[f64]) -> (f64, f64, f64) {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (mean_one, mean_other) = (mean(one), mean(other));
    one.iter().zip(other).fold((0.0, 0.0, 0.0), |(ones, others, both), (one, other)| {
        let (one, other) = (one - mean_one, other - mean_other);
        (ones + one * one, others + other * other, both + one * other)
    })
}

/// Pearson's coefficient; not a number where predictions or targets are all equal, as of a single sample.
pub fn pearson(predicted: &[f64], targets: &[f64]) -> f64 {
    let is_constant = |values: &[f64]| values.iter().all(|value| *value == values[0]);
    if is_constant(predicted) || is_constant(targets) {
        return f64::NAN;
    }
    let (ones, others, both) = moments(predicted, targets);
    (both / (ones.sqrt() * others.sqrt())).clamp(-1.0, 1.0)
}

/// Pearson's coefficient of ranks, equal values having their mean rank; 0 where all are equal.
pub fn spearman(predicted: &[f64], targets: &[f64]) -> f64 {
    let (ones, others, both) = moments(&ranks(predicted), &ranks(targets));
    let count = predicted.len() as f64;
    let (deviation, other) = ((ones / count).sqrt(), (others / count).sqrt());
    (both / count / (deviation * other + EPSILON)).clamp(-1.0, 1.0)
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for group in order.chunk_by(|one, other| values[*one] == values[*other]) {
        let mean = before as f64 + (group.len() + 1) as f64 / 2.0;
        group.iter().for_each(|position| ranks[*position] = mean);
        before += group.len();
    }
    ranks
}
