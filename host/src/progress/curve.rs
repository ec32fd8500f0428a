//! The losses of a whole run, as few numbers.

/// Values that are kept at most.
const KEPT: usize = 240;

/// Losses as they were shown, oldest first. Where there are too many, each value that is kept becomes the
/// mean of two: the curve is always of the whole run.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    values: Vec<f64>,
    /// Losses that are behind each value.
    each: usize,
    /// The sum of those that are no value yet, and how many they are.
    rest: (f64, usize),
    last: Option<f64>,
}

impl Default for Curve {
    fn default() -> Self {
        Self { values: Vec::new(), each: 1, rest: (0.0, 0), last: None }
    }
}

impl Curve {
    /// A newer loss.
    pub(super) fn push(&mut self, loss: f64) {
        self.last = Some(loss);
        self.rest = (self.rest.0 + loss, self.rest.1 + 1);
        if self.rest.1 < self.each {
            return;
        }
        let (sum, count) = std::mem::take(&mut self.rest);
        self.values.push(sum / count as f64);
        if self.values.len() == KEPT {
            self.values = self.values.chunks(2).map(|pair| pair.iter().sum::<f64>() / 2.0).collect();
            self.each *= 2;
        }
    }

    /// The values.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The newest loss.
    pub(super) fn last(&self) -> Option<f64> {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_of_any_length_is_of_the_whole_run() {
        let mut curve = Curve::default();
        (0..100_000).for_each(|step| curve.push(f64::from(100_000 - step)));
        let values = curve.values();
        assert!((KEPT / 2..KEPT).contains(&values.len()), "{}", values.len());
        assert!(values.is_sorted_by(|one, other| one > other));
        assert!(values[0] > 99_000.0 && values[values.len() - 1] < 1_000.0, "{values:?}");
        assert_eq!(curve.last(), Some(1.0));
    }
}
