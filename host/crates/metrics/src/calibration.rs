//! Whether a model is right as often as it is sure.

/// Bins of equal width between 0 and 1, torchmetrics' number.
pub const BINS: usize = 15;

/// Predictions of alike probability.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub samples: u64,
    /// How many of them are right.
    pub hits: u64,
    /// The sum of their probabilities.
    pub confidence: f64,
}

impl Bin {
    /// Share of the samples that are right; 0 without samples.
    pub fn accuracy(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.hits as f64 / self.samples as f64 }
    }

    /// The mean probability; 0 without samples.
    pub fn mean_confidence(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.confidence / self.samples as f64 }
    }
}

/// Predictions by the probability of the class that was predicted. Of each bin the lower end is part; where
/// the probability is 1 there is one more, as torchmetrics has it. None at all for what is not of classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Calibration {
    /// The bins, [`BINS`] and one.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Of predictions: probability, and whether it is right. A probability that is not a number is left out.
    pub fn of(predictions: impl IntoIterator<Item = (f64, bool)>) -> Self {
        let mut bins = vec![Bin::default(); BINS + 1];
        for (confidence, is_hit) in predictions {
            if confidence.is_nan() {
                continue;
            }
            let bin = &mut bins[position(confidence)];
            bin.samples += 1;
            bin.hits += u64::from(is_hit);
            bin.confidence += confidence;
        }
        Self { bins }
    }

    /// Expected calibration error: the distance of accuracy and mean probability, by samples.
    pub fn error(&self) -> f64 {
        let samples: u64 = self.bins.iter().map(|bin| bin.samples).sum();
        let distances = self.bins.iter().map(|bin| (bin.hits as f64 - bin.confidence).abs());
        if samples == 0 { 0.0 } else { distances.sum::<f64>() / samples as f64 }
    }
}

/// The bin of a probability: `torch.linspace` and `torch.bucketize(right=True)`.
fn position(confidence: f64) -> usize {
    let step = 1.0 / BINS as f64;
    // libtorch counts the upper half from the upper end.
    let boundary = |index: usize| {
        if index < BINS.div_ceil(2) { step * index as f64 } else { 1.0 - step * (BINS - index) as f64 }
    };
    (1..=BINS).take_while(|index| boundary(*index) <= confidence).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_right_as_often_as_sure_has_no_error() {
        let sure = [(0.75, true), (0.75, true), (0.75, true), (0.75, false), (1.0, true)];
        assert_eq!(Calibration::of(sure).error(), 0.0);
        assert_eq!(Calibration::of([(1.0, false), (1.0, true)]).error(), 0.5);
        assert_eq!(Calibration::of([]).error(), 0.0);
    }

    #[test]
    fn a_probability_of_one_and_one_that_is_no_number_have_their_places() {
        let found = Calibration::of([(1.0, true), (f64::NAN, true), (0.0, false)]);
        let samples: Vec<u64> = found.bins.iter().map(|bin| bin.samples).collect();
        assert_eq!((samples[0], samples[BINS], samples.iter().sum::<u64>()), (1, 1, 2));
    }
}
