//! Samples of a pass that are worth a look.

use serde::{Deserialize, Serialize};
use thaw_metrics::Labelled;

/// Most samples of each kind.
pub const MOST: usize = 12;

/// A sample that is worth a look.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Doubt {
    /// Its number in the split.
    pub sample: usize,
    /// Its class.
    pub label: usize,
    /// The likeliest class.
    pub predicted: usize,
    /// The likeliest class's probability.
    pub probability: f64,
}

/// Samples of a pass that are worth a look, twelve of each kind at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Doubts {
    /// Those that are most confidently wrong, the surest first.
    pub wrong: Vec<Doubt>,
    /// Those whose likeliest class is least likely, the least first.
    pub unsure: Vec<Doubt>,
}

impl Doubts {
    /// Of all samples of a pass, with their positions in it. What is no number is left out.
    pub(super) fn of(samples: &Labelled, positions: &[usize]) -> Self {
        let doubt = |(place, position): (usize, &usize)| Doubt {
            sample: *position,
            label: samples.labels[place],
            predicted: samples.predicted[place],
            probability: samples.confidences[place],
        };
        let mut unsure: Vec<Doubt> = positions.iter().enumerate().map(doubt).collect();
        unsure.retain(|doubt| doubt.probability.is_finite());
        let is_wrong = |doubt: &&Doubt| doubt.label != doubt.predicted;
        let wrong: Vec<Doubt> = unsure.iter().filter(is_wrong).copied().collect();
        Self { wrong, unsure }.sorted()
    }

    /// Those of several processes, each of which has seen other samples.
    pub(in crate::fit) fn of_all(all: Vec<Self>) -> Self {
        let mut joined = Self::default();
        for Self { wrong, unsure } in all {
            joined.wrong.extend(wrong);
            joined.unsure.extend(unsure);
        }
        joined.sorted()
    }

    /// Of equal ones the first in the pass comes first.
    fn sorted(mut self) -> Self {
        self.wrong.sort_by(|one, other| other.probability.total_cmp(&one.probability));
        self.unsure.sort_by(|one, other| one.probability.total_cmp(&other.probability));
        self.wrong.truncate(MOST);
        self.unsure.truncate(MOST);
        self
    }

    /// Positions in the pass become numbers of the split.
    pub(in crate::fit) fn name(&mut self, order: &[usize]) {
        for doubts in [&mut self.wrong, &mut self.unsure] {
            doubts.retain(|doubt| doubt.sample < order.len());
            doubts.iter_mut().for_each(|doubt| doubt.sample = order[doubt.sample]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_mistakes_and_the_least_certain_come_first() {
        let samples = Labelled {
            classes: 2,
            labels: vec![0, 1, 0, 1, 0],
            predicted: vec![1, 1, 1, 0, 0],
            confidences: vec![0.6, 0.55, 0.9, f64::NAN, 0.99],
            ..Labelled::default()
        };
        let mut doubts = Doubts::of(&samples, &[0, 1, 2, 4, 5]);
        let places = |doubts: &[Doubt]| -> Vec<usize> { doubts.iter().map(|doubt| doubt.sample).collect() };
        assert_eq!((places(&doubts.wrong), places(&doubts.unsure)), (vec![2, 0], vec![1, 0, 2, 5]));
        doubts.name(&[10, 11, 12, 13, 14, 15]);
        assert_eq!((places(&doubts.wrong), places(&doubts.unsure)), (vec![12, 10], vec![11, 10, 12, 15]));
        let apart = [(&[0, 1][..], 0..2), (&[0, 1, 2][..], 2..5)].map(|(positions, range)| {
            let part = |of: &[usize]| of[range.clone()].to_vec();
            let mut doubts = Doubts::of(
                &Labelled {
                    classes: 2,
                    labels: part(&samples.labels),
                    predicted: part(&samples.predicted),
                    confidences: samples.confidences[range.clone()].to_vec(),
                    ..Labelled::default()
                },
                positions,
            );
            doubts.name(&[10, 11, 12, 14, 15][range]);
            doubts
        });
        assert_eq!(Doubts::of_all(apart.to_vec()), doubts, "as one process finds them");
        let many = Labelled {
            classes: 2,
            labels: vec![0; 40],
            predicted: vec![1; 40],
            confidences: (0..40).map(|place| 0.5 + f64::from(place) / 100.0).collect(),
            ..Labelled::default()
        };
        let doubts = Doubts::of(&many, &(0..40).collect::<Vec<_>>());
        assert_eq!((doubts.wrong[0].sample, doubts.wrong.len(), doubts.unsure.len()), (39, MOST, MOST));
    }
}
