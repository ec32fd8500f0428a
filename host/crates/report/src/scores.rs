//! Precision, recall and F1 per class, as torchmetrics defines them.

use crate::run::ConfusionRecord;

/// Scores of one class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClassScores {
    /// Samples of the class.
    pub support: u64,
    /// Samples that were predicted as it.
    pub predicted: u64,
    /// Samples of it that were predicted as it.
    pub hits: u64,
}

impl ClassScores {
    /// Hits among what was predicted as this class; 0 where nothing was.
    pub fn precision(&self) -> f64 {
        ratio(self.hits, self.predicted)
    }

    /// Hits among the samples of this class; 0 where there are none.
    pub fn recall(&self) -> f64 {
        ratio(self.hits, self.support)
    }

    /// The harmonic mean of both.
    pub fn f1(&self) -> f64 {
        ratio(2 * self.hits, self.support + self.predicted)
    }

    /// Whether the class occurs at all.
    pub fn is_met(&self) -> bool {
        self.support + self.predicted > 0
    }
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Scores of a whole validation.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// Of each class.
    pub classes: Vec<ClassScores>,
}

impl Scores {
    /// Those of a confusion matrix.
    pub fn of(confusion: &ConfusionRecord) -> Self {
        let mut classes = vec![ClassScores::default(); confusion.classes];
        for &(label, predicted, count) in &confusion.counts {
            classes[label].support += count;
            classes[predicted].predicted += count;
            if label == predicted {
                classes[label].hits += count;
            }
        }
        Self { classes }
    }

    /// The mean over classes, those that neither occur nor were predicted left out (`average="macro"`).
    pub fn macro_mean(&self, score: impl Fn(&ClassScores) -> f64) -> f64 {
        let met: Vec<f64> = self.classes.iter().filter(|class| class.is_met()).map(score).collect();
        if met.is_empty() { 0.0 } else { met.iter().sum::<f64>() / met.len() as f64 }
    }

    /// All samples.
    pub fn samples(&self) -> u64 {
        self.classes.iter().map(|class| class.support).sum()
    }

    /// All hits.
    pub fn hits(&self) -> u64 {
        self.classes.iter().map(|class| class.hits).sum()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn numbers(value: &Value) -> Vec<f64> {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn assert_close(found: &[f64], expected: &[f64], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let is_close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-6);
        assert!(is_close, "{what}: {found:?}, expected {expected:?}");
    }

    /// Recorded from torchmetrics by `tests/fixtures/confusion/generate.py`.
    #[test]
    fn scores_are_those_of_torchmetrics() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../tests/fixtures/confusion/recorded.json");
        let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let matrix: Vec<Vec<u64>> = serde_json::from_value(case["confusion"].clone()).unwrap();
            let cells = matrix.iter().enumerate();
            let counts = cells.flat_map(|(label, row)| {
                row.iter().enumerate().map(move |(predicted, count)| (label, predicted, *count))
            });
            let counts = counts.filter(|(_, _, count)| *count > 0).collect();
            let scores = Scores::of(&ConfusionRecord { epoch: 0, step: 0, classes: matrix.len(), counts });
            let name = case["name"].as_str().unwrap();
            for (key, score) in [
                ("precision", ClassScores::precision as fn(&ClassScores) -> f64),
                ("recall", ClassScores::recall),
                ("f1", ClassScores::f1),
                ("support", |class| class.support as f64),
            ] {
                let found: Vec<f64> = scores.classes.iter().map(score).collect();
                assert_close(&found, &numbers(&case[key]), &format!("{name}: {key}"));
                if let Some(mean) = case[format!("{key}_macro")].as_f64() {
                    assert_close(&[scores.macro_mean(score)], &[mean], &format!("{name}: macro {key}"));
                }
            }
        }
    }
}
