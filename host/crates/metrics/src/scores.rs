//! Precision, recall, F1, … per class, as torchmetrics defines them.

use super::average::{Average, weighted_mean};
use super::metric::Score;

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

    /// Hits among what is of this class or was predicted as it; 0 where there is nothing.
    fn jaccard(&self) -> f64 {
        ratio(self.hits, self.support + self.predicted - self.hits)
    }

    /// Of so many samples: those of other classes that were not predicted as this one; 0 where there are
    /// none.
    fn specificity(&self, samples: u64) -> f64 {
        let negative = samples - self.support;
        ratio(negative - (self.predicted - self.hits), negative)
    }

    fn score(&self, score: Score, samples: u64) -> f64 {
        match score {
            Score::Precision => self.precision(),
            Score::Recall => self.recall(),
            Score::F1 => self.f1(),
            Score::Jaccard => self.jaccard(),
            Score::Specificity => self.specificity(samples),
        }
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
    /// Those of a confusion matrix of so many classes: class, predicted class, samples. Pairs of what is no
    /// class are left out.
    pub fn of(classes: usize, counts: impl IntoIterator<Item = (usize, usize, u64)>) -> Self {
        let mut scores = vec![ClassScores::default(); classes];
        for (label, predicted, count) in counts {
            if label >= classes || predicted >= classes {
                continue;
            }
            scores[label].support += count;
            scores[predicted].predicted += count;
            if label == predicted {
                scores[label].hits += count;
            }
        }
        Self { classes: scores }
    }

    /// A score of all classes as one number.
    pub fn average(&self, score: Score, average: Average) -> f64 {
        let samples = self.samples();
        let of = |class: &ClassScores| class.score(score, samples);
        match average {
            Average::Binary => self.classes.get(1).map_or(0.0, of),
            Average::Macro => self.macro_mean(of),
            Average::Weighted => {
                weighted_mean(self.classes.iter().map(|class| (of(class), class.support as f64)))
            }
            Average::Micro => self.together(score),
        }
    }

    /// Of the counts of all classes: each sample is one of a class, and not of the others.
    fn together(&self, score: Score) -> f64 {
        let (hits, samples) = (self.hits(), self.samples());
        let others = samples * (self.classes.len() as u64).saturating_sub(1);
        match score {
            Score::Precision | Score::Recall | Score::F1 => ratio(hits, samples),
            Score::Jaccard => ratio(hits, 2 * samples - hits),
            Score::Specificity => ratio(others - (samples - hits), others),
        }
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
            let counts = counts.filter(|(_, _, count)| *count > 0);
            let scores = Scores::of(matrix.len(), counts);
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
