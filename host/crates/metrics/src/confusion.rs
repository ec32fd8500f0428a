//! Which classes are taken for which.

use std::collections::BTreeMap;

/// Samples by their class and the predicted one, over a whole validation: a confusion matrix, of which only
/// the pairs are kept that there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confusion {
    /// Classes of the model's outputs.
    pub classes: usize,
    counts: BTreeMap<(usize, usize), u64>,
}

impl Confusion {
    /// Counts pairs of a label and a prediction.
    pub fn of(classes: usize, pairs: impl IntoIterator<Item = (usize, usize)>) -> Self {
        let mut counts = BTreeMap::new();
        pairs.into_iter().for_each(|pair| *counts.entry(pair).or_default() += 1);
        Self { classes, counts }
    }

    /// Each pair that there is: class, predicted class, samples; by class, then by prediction.
    pub fn counts(&self) -> impl Iterator<Item = (usize, usize, u64)> {
        self.counts.iter().map(|((label, predicted), count)| (*label, *predicted, *count))
    }

    /// The whole matrix: a row for each class, in it a number for each predicted class. Pairs of what is no
    /// class are left out. torchmetrics' `MulticlassConfusionMatrix` without `normalize`.
    pub fn matrix(&self) -> Vec<Vec<u64>> {
        let mut rows = vec![vec![0; self.classes]; self.classes];
        for (label, predicted, count) in self.counts() {
            if let Some(cell) = rows.get_mut(label).and_then(|row| row.get_mut(predicted)) {
                *cell = count;
            }
        }
        rows
    }

    /// Hits and samples of each class, up to the last one that has samples.
    pub fn hits(&self) -> Vec<(u64, u64)> {
        let length = self.counts.keys().next_back().map_or(0, |(label, _)| label + 1);
        let mut hits = vec![(0, 0); length];
        for (label, predicted, count) in self.counts() {
            hits[label].0 += if label == predicted { count } else { 0 };
            hits[label].1 += count;
        }
        hits
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Recorded from torchmetrics by `tests/fixtures/confusion/generate.py`.
    #[test]
    fn pairs_are_counted_as_torchmetrics_counts_them() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/confusion/recorded.json");
        let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let numbers = |key: &str| -> Vec<usize> { serde_json::from_value(case[key].clone()).unwrap() };
            let expected: Vec<Vec<u64>> = serde_json::from_value(case["confusion"].clone()).unwrap();
            let pairs = numbers("target").into_iter().zip(numbers("predicted"));
            assert_eq!(Confusion::of(expected.len(), pairs).matrix(), expected, "{}", case["name"]);
        }
    }

    #[test]
    fn hits_end_with_the_last_class_that_has_samples() {
        let found = Confusion::of(4, [(0, 0), (1, 0), (1, 1)]);
        assert_eq!(found.counts().collect::<Vec<_>>(), [(0, 0, 1), (1, 0, 1), (1, 1, 1)]);
        assert_eq!(found.hits(), [(1, 1), (1, 2)]);
    }
}
