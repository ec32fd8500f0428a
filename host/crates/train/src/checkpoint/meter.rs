//! Means over an epoch, weighted by samples.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Sums of values over samples. Saved in checkpoints, so that an epoch taken up again has the same means.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Meter {
    #[serde(with = "sums")]
    sums: BTreeMap<String, (f64, u64)>,
}

/// JSON has no infinities and no NaN.
mod sums {
    use std::collections::BTreeMap;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::Value;
    use thaw_plugin_api::context::{number_from_json, number_to_json};

    pub fn serialize<S: Serializer>(
        sums: &BTreeMap<String, (f64, u64)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(sums.iter().map(|(name, (sum, count))| (name, (number_to_json(*sum), count))))
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, (f64, u64)>, D::Error> {
        let sums = BTreeMap::<String, (Value, u64)>::deserialize(deserializer)?.into_iter();
        let sums = sums.map(|(name, (sum, count))| match number_from_json(&sum) {
            Some(sum) => Ok((name, (sum, count))),
            None => Err(D::Error::custom(format_args!("`{name}`: expected a number, found {sum}"))),
        });
        sums.collect()
    }
}

impl Meter {
    /// Takes a number of the whole pass in place of whatever there is under its name.
    pub fn set(&mut self, name: String, value: f64) {
        self.sums.insert(name, (value, 1));
    }

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

    /// Gives values other names, where `name` gives one.
    pub fn rename(&mut self, name: impl Fn(&str) -> Option<String>) {
        let sums = std::mem::take(&mut self.sums).into_iter();
        self.sums = sums.map(|(old, sum)| (name(&old).unwrap_or(old), sum)).collect();
    }

    /// The means by name.
    pub fn means(&self) -> impl Iterator<Item = (&str, f64)> {
        self.sums.iter().map(|(name, (sum, count))| (name.as_str(), sum / *count as f64))
    }

    /// Takes the values of another one, of other names.
    pub fn join(&mut self, other: Self) {
        self.sums.extend(other.sums);
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
    fn sums_that_are_no_numbers_are_saved() {
        let mut meter = Meter::default();
        meter.add("loss", f64::INFINITY, 3);
        meter.add("acc", 0.5, 2);
        let saved = serde_json::to_string(&meter).unwrap();
        assert_eq!(serde_json::from_str::<Meter>(&saved).unwrap(), meter, "{saved}");
    }

    #[test]
    fn means_weigh_by_samples() {
        let mut meter = Meter::default();
        meter.add("loss", 1.0, 3);
        meter.add("loss", 5.0, 1);
        assert_eq!(meter.mean("loss"), Some(2.0));
    }
}
