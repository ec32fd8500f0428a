//! How long a run is, in epochs and optimizer steps.

use serde::{Deserialize, Serialize};

/// How long the run is, for schedules that span it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunLength {
    /// Epochs of the run.
    pub max_epochs: usize,
    /// Optimizer steps of an epoch: batches over the accumulation window, rounded up.
    pub steps_per_epoch: usize,
    /// From which epochs on, in rising order, they are as many instead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<(usize, usize)>,
    /// Optimizer steps, where they are fewer than the epochs have.
    pub max_steps: Option<usize>,
    /// Optimizer steps that the epochs of a resumed run had more than these, before its batches changed.
    #[serde(default)]
    pub extra_steps: i64,
}

impl RunLength {
    /// Epochs of the same number of steps, without another limit.
    pub const fn even(max_epochs: usize, steps_per_epoch: usize) -> Self {
        Self { max_epochs, steps_per_epoch, later: Vec::new(), max_steps: None, extra_steps: 0 }
    }

    /// Optimizer steps of the run.
    pub fn steps(&self) -> usize {
        let epochs = self.steps_before(self.max_epochs);
        epochs.saturating_add_signed(self.extra()).min(self.max_steps.unwrap_or(usize::MAX))
    }

    /// Optimizer steps of the epochs before this one, as if their batches had never changed.
    pub fn steps_before(&self, epoch: usize) -> usize {
        let mut steps = 0_usize;
        for (from, until, of_one) in self.parts() {
            let epochs = until.unwrap_or(usize::MAX).min(epoch).saturating_sub(from);
            steps = steps.saturating_add(epochs.saturating_mul(of_one));
        }
        steps
    }

    /// How many epochs so many optimizer steps take, the last one perhaps in part.
    pub(super) fn epochs_for(&self, steps: usize) -> usize {
        let whole = self.epoch_of(steps);
        whole + usize::from(self.steps_before(whole) < steps)
    }

    /// The epoch that has the step of this number, both from 0.
    pub(super) fn epoch_of(&self, step: usize) -> usize {
        let mut left = step;
        for (from, until, of_one) in self.parts() {
            let of_one = of_one.max(1);
            let steps = until.map_or(usize::MAX, |until| (until - from).saturating_mul(of_one));
            if left < steps {
                return from + left / of_one;
            }
            left -= steps;
        }
        self.max_epochs
    }

    /// What is left from an epoch on, which is then the first one.
    pub(super) fn left_at(&self, epoch: usize) -> Self {
        let mut steps_per_epoch = self.steps_per_epoch;
        let mut later = Vec::new();
        for (from, of_one) in &self.later {
            match from.checked_sub(epoch).filter(|from| *from > 0) {
                Some(from) => later.push((from, *of_one)),
                None => steps_per_epoch = *of_one,
            }
        }
        let max_epochs = self.max_epochs.saturating_sub(epoch);
        Self { max_epochs, steps_per_epoch, later, max_steps: None, extra_steps: 0 }
    }

    /// [`Self::extra_steps`], to be added.
    pub(super) fn extra(&self) -> isize {
        isize::try_from(self.extra_steps).unwrap_or_default()
    }

    /// Epochs of one number of steps: the first one, the one after the last one, if there is one, the steps.
    fn parts(&self) -> impl Iterator<Item = (usize, Option<usize>, usize)> + '_ {
        let starts = std::iter::once((0, self.steps_per_epoch)).chain(self.later.iter().copied());
        let ends = self.later.iter().map(|(from, _)| Some(*from)).chain([None]);
        starts.zip(ends).map(|((from, of_one), until)| (from, until, of_one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Epochs of 2, 2, 6, 6, 6, 3, 3, … steps.
    fn uneven() -> RunLength {
        RunLength { later: vec![(2, 6), (5, 3)], ..RunLength::even(8, 2) }
    }

    #[test]
    fn steps_are_those_of_each_epoch() {
        let before: Vec<usize> = (0..=8).map(|epoch| uneven().steps_before(epoch)).collect();
        assert_eq!(before, [0, 2, 4, 10, 16, 22, 25, 28, 31]);
        assert_eq!(uneven().steps(), 31);
        assert_eq!(RunLength { extra_steps: -4, ..uneven() }.steps(), 27);
        assert_eq!(RunLength { max_steps: Some(9), ..uneven() }.steps(), 9);
    }

    #[test]
    fn a_step_lies_in_an_epoch_and_so_many_take_epochs() {
        let length = uneven();
        for (step, epoch, epochs) in
            [(0, 0, 0), (1, 0, 1), (2, 1, 1), (4, 2, 2), (9, 2, 3), (10, 3, 3), (24, 5, 6)]
        {
            assert_eq!((length.epoch_of(step), length.epochs_for(step)), (epoch, epochs), "{step}");
        }
        let even = RunLength::even(8, 5);
        assert!(
            (0..60).all(|step| even.epoch_of(step) == step / 5 && even.epochs_for(step) == step.div_ceil(5))
        );
    }

    #[test]
    fn what_is_left_begins_with_the_epoch() {
        let left = uneven().left_at(3);
        assert_eq!(left, RunLength { later: vec![(2, 3)], ..RunLength::even(5, 6) });
        assert_eq!(left.steps(), uneven().steps() - uneven().steps_before(3));
        assert_eq!(uneven().left_at(5), RunLength::even(3, 3));
    }
}
