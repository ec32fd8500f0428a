//! Rows in the order of the input, whatever the order of the batches.

use std::collections::BTreeMap;

use super::Sample;

/// Holds back the rows whose turn has not come.
pub struct InputOrder {
    /// Whether batches come in the order of the input, so that none is waited for: some may be left out.
    is_sequential: bool,
    next: usize,
    waiting: BTreeMap<usize, Sample>,
}

impl InputOrder {
    /// None yet.
    pub fn new(is_sequential: bool) -> Self {
        Self { is_sequential, next: 0, waiting: BTreeMap::new() }
    }

    /// Takes a batch's rows; gives those whose turn it is.
    pub fn add(&mut self, samples: Vec<Sample>) -> Vec<Sample> {
        self.waiting.extend(samples.into_iter().map(|sample| (sample.index, sample)));
        if self.is_sequential {
            return self.rest();
        }
        let mut ready = Vec::new();
        while let Some(sample) = self.waiting.remove(&self.next) {
            self.next += 1;
            ready.push(sample);
        }
        ready
    }

    /// What is left.
    pub fn rest(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.waiting).into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::Row;

    fn samples(indices: &[usize]) -> Vec<Sample> {
        let sample = |&index| Sample { index, row: Row::Error(0.0), outputs: Vec::new() };
        indices.iter().map(sample).collect()
    }

    fn indices(samples: Vec<Sample>) -> Vec<usize> {
        samples.into_iter().map(|sample| sample.index).collect()
    }

    #[test]
    fn a_row_waits_for_those_before_it() {
        let mut order = InputOrder::new(false);
        assert!(order.add(samples(&[2, 1])).is_empty());
        assert_eq!(indices(order.add(samples(&[0, 4]))), [0, 1, 2]);
        assert_eq!(indices(order.rest()), [4]);
    }

    #[test]
    fn nothing_waits_for_a_sample_that_was_left_out() {
        let mut order = InputOrder::new(true);
        assert_eq!(indices(order.add(samples(&[0, 2]))), [0, 2]);
        assert_eq!(indices(order.add(samples(&[3]))), [3]);
    }
}
