//! How far metrics would have moved with other samples of the same kind.

use super::metric::Metric;
use super::outcomes::Outcomes;

/// Share of the resampled values that an interval holds.
pub const CONFIDENCE: f64 = 0.95;

/// Percentile bootstrap: so many times as many samples are drawn, with replacement, as there are; the
/// interval lies between the 2.5th and the 97.5th percentile of what a metric is of those.
#[derive(Clone, Debug, PartialEq)]
pub struct Intervals {
    /// Of each metric, lower and upper end; None where too few resamples have a value.
    pub metrics: Vec<Option<(f64, f64)>>,
    /// Of the mean of numbers that samples have besides, such as their losses.
    pub means: Option<(f64, f64)>,
    /// In how many resamples each metric had no value; these do not count.
    pub undefined: Vec<usize>,
    /// How many resamples have no sample of a class that the data has.
    pub lacking: usize,
}

impl Intervals {
    /// Intervals of `metrics`, and of the mean of `numbers`, one a sample or none at all. The same seed gives
    /// the same intervals.
    pub fn of(outcomes: &Outcomes, metrics: &[Metric], numbers: &[f64], resamples: usize, seed: u64) -> Self {
        let samples = if outcomes.kept() == 0 { numbers.len() } else { outcomes.kept() };
        let mut random = fastrand::Rng::with_seed(seed);
        let mut values = vec![Vec::with_capacity(resamples); metrics.len()];
        let mut means = Vec::with_capacity(resamples);
        let mut undefined = vec![0; metrics.len()];
        let mut lacking = 0;
        for _ in 0..if samples == 0 { 0 } else { resamples } {
            let positions: Vec<usize> = (0..samples).map(|_| random.usize(..samples)).collect();
            let drawn = outcomes.at(&positions);
            lacking += usize::from(drawn.classes_met() < outcomes.classes_met());
            for ((metric, values), undefined) in metrics.iter().zip(&mut values).zip(&mut undefined) {
                match drawn.value(*metric) {
                    Some(value) if value.is_finite() => values.push(value),
                    Some(_) => *undefined += 1,
                    None => {}
                }
            }
            if numbers.len() == samples {
                let sum: f64 = positions.iter().map(|position| numbers[*position]).sum();
                means.push(sum / samples as f64);
            }
        }
        Self { metrics: values.into_iter().map(ends).collect(), means: ends(means), undefined, lacking }
    }
}

/// Percentiles, between two values on the line that joins them.
fn ends(mut values: Vec<f64>) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| {
        let place = share * (values.len() - 1) as f64;
        let (below, above) = (values[place.floor() as usize], values[place.ceil() as usize]);
        below + (above - below) * place.fract()
    };
    let left_out = (1.0 - CONFIDENCE) / 2.0;
    Some((at(left_out), at(1.0 - left_out)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Labelled;

    /// Two classes, so many samples, of which every fifth is wrong.
    fn outcomes(samples: usize) -> Outcomes {
        let labels: Vec<usize> = (0..samples).map(|index| index % 2).collect();
        let predicted =
            labels.iter().enumerate().map(|(index, label)| if index % 5 == 0 { 1 - label } else { *label });
        Outcomes::Labelled(Labelled {
            classes: 2,
            predicted: predicted.collect(),
            ranks: vec![0; samples],
            confidences: vec![1.0; samples],
            probabilities: Vec::new(),
            labels,
        })
    }

    #[test]
    fn the_interval_of_an_accuracy_is_that_of_a_share() {
        for samples in [400, 1600] {
            let found = Intervals::of(&outcomes(samples), &[Metric::Accuracy], &[], 2000, 3);
            let (low, high) = found.metrics[0].unwrap();
            // The normal approximation of the binomial distribution.
            let half = 1.96 * (0.8 * 0.2 / samples as f64).sqrt();
            assert!((low - (0.8 - half)).abs() < 0.15 * half, "{low} {half}");
            assert!((high - (0.8 + half)).abs() < 0.15 * half, "{high} {half}");
        }
    }

    #[test]
    fn resamples_without_a_value_or_without_a_class_are_counted() {
        // Two samples of two classes: half of the resamples draw one of them twice.
        let found = Intervals::of(&outcomes(2), &[Metric::Accuracy], &[], 1000, 3);
        assert!((400..600).contains(&found.lacking), "{}", found.lacking);
        assert_eq!(found.undefined, [0]);
        let one = Outcomes::Numbers(crate::Numbers { width: 1, predicted: vec![1.0], targets: vec![2.0] });
        let found = Intervals::of(&one, &[Metric::R2, Metric::AbsoluteError], &[], 10, 3);
        assert_eq!((found.undefined, found.lacking), (vec![10, 0], 0));
        assert_eq!(found.metrics, [None, Some((1.0, 1.0))]);
    }

    #[test]
    fn a_seed_gives_the_same_again_and_another_one_does_not() {
        let of = |seed| Intervals::of(&outcomes(300), &[Metric::Matthews], &[], 50, seed);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn numbers_of_samples_have_the_interval_of_their_mean() {
        let numbers: Vec<f64> = (0..100).map(f64::from).collect();
        let (low, high) = Intervals::of(&Outcomes::None, &[], &numbers, 2000, 1).means.unwrap();
        let half = 1.96 * 28.866 / 10.0;
        assert!((low - (49.5 - half)).abs() < 1.0 && (high - (49.5 + half)).abs() < 1.0, "{low} {high}");
        let few = Intervals::of(&Outcomes::None, &[Metric::R2], &[], 10, 1);
        assert_eq!((few.metrics, few.means), (vec![None], None));
    }
}
