//! Means over an epoch, weighted by samples.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Sums of values over samples. Saved in checkpoints, so that an epoch taken up again has the same means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    sums: BTreeMap<String, (f64, u64)>,
}

impl Meter {
    /// Adds a mean over `samples`.
    pub fn add(&mut self, name: &str, mean: f64, samples: usize) {
        let samples = samples as u64;
        match self.sums.get_mut(name) {
            Some((sum, count)) => {
                *sum += mean * samples as f64;
                *count += samples;
            }
            None => {
                self.sums.insert(name.to_owned(), (mean * samples as f64, samples));
            }
        }
    }

    /// The means by name.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        self.sums.iter().map(|(name, (sum, count))| (name.as_str(), sum / *count as f64))
    }

    /// One mean.
    pub fn mean(&self, name: &str) -> Option<f64> {
        self.sums.get(name).map(|(sum, count)| sum / *count as f64)
    }

    /// Starts anew.
    pub fn clear(&mut self) {
        self.sums.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_weigh_by_samples() {
        let mut meter = Meter::default();
        meter.add("loss", 1.0, 3);
        meter.add("loss", 5.0, 1);
        assert_eq!(meter.mean("loss"), Some(2.0));
    }
}
