//! Areas under curves of a score against a class or label: over thresholds, equal scores counting together.

/// A threshold's counts: samples of the class and of others whose score is at least that.
#[derive(Clone, Copy, Default)]
pub(super) struct Counts {
    pub positive: f64,
    pub negative: f64,
}

/// Area under the receiver operating characteristic of a curve with all counts at its end. A class without
/// samples, or that all samples are of, has 0, as torchmetrics has it.
pub(super) fn area_under_roc(curve: &[Counts], all: Counts) -> f64 {
    let mut before = Counts::default();
    let mut area = 0.0;
    for at in curve {
        area += (at.negative - before.negative) * (at.positive + before.positive) / 2.0;
        before = *at;
    }
    let whole = all.positive * all.negative;
    if whole == 0.0 { 0.0 } else { area / whole }
}

/// Average precision: precisions weighted by the steps of recall; none of a class without samples.
pub(super) fn area_under_precision(curve: &[Counts], all: Counts) -> Option<f64> {
    let mut before = 0.0;
    let mut sum = 0.0;
    for at in curve {
        sum += (at.positive - before) * at.positive / (at.positive + at.negative);
        before = at.positive;
    }
    (all.positive > 0.0).then(|| sum / all.positive)
}

/// Counts at each score that there is, from the highest down; of each sample its score, and whether it is of
/// the class.
pub(super) fn curve(samples: impl Iterator<Item = (f64, bool)>) -> Vec<Counts> {
    let mut scored: Vec<(f64, bool)> = samples.collect();
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
