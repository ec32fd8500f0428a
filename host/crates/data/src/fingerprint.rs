//! What tells that data is not what it was: counts, names and labels of its samples, sizes and times of its
//! files. Contents are not read.

use super::dataset::Dataset;
use super::random::stable_hash;
use super::stamps::FileStamps;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A few numbers that stand for the samples of a dataset. Checkpoints keep them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    samples: usize,
    /// Hash of what the samples are called, relative to the data's root; 0 where all rows of a file are
    /// meant.
    names: u64,
    /// Hash of the samples' classes; 0 without classes.
    labels: u64,
    files: FileStamps,
}

impl Fingerprint {
    pub(crate) fn of(dataset: &dyn Dataset) -> Fingerprint {
        let samples = dataset.len();
        let last = samples.saturating_sub(1);
        let has_names = samples > 0 && dataset.identity(last) != last.to_string();
        let names = if has_names { 0..samples } else { 0..0 };
        let labels = (0..samples).map_while(|index| dataset.class_of(index));
        Fingerprint {
            samples,
            names: names.fold(0, |hash, index| stable_hash(hash, &dataset.identity(index))),
            labels: labels.fold(0, |hash, class| stable_hash(hash, &class.to_string())),
            files: dataset.stamps(),
        }
    }

    /// What is another than it was, the most telling thing; None where nothing is. Files that were copied
    /// have other times: those count where the data lies in the place that it had.
    pub fn change_since(&self, earlier: &Fingerprint, place: Place) -> Option<DataChange> {
        if self.samples != earlier.samples {
            return Some(DataChange::Count { found: self.samples, expected: earlier.samples });
        }
        if self.names != earlier.names {
            return Some(DataChange::Names { samples: self.samples });
        }
        if self.labels != earlier.labels {
            return Some(DataChange::Labels);
        }
        if self.files.sizes != earlier.files.sizes {
            return Some(DataChange::Sizes { found: self.files.bytes, expected: earlier.files.bytes });
        }
        (place == Place::Same && self.files.times != earlier.files.times).then_some(DataChange::Times)
    }
}

/// Whether data lies where it lay before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It does.
    Same,
    /// It was moved, or copied.
    Other,
}

/// How data is another than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataChange {
    /// Another number of samples.
    Count {
        /// Now.
        found: usize,
        /// Before.
        expected: usize,
    },
    /// As many samples with other names, or in another order.
    Names {
        /// How many.
        samples: usize,
    },
    /// The same samples with other labels.
    Labels,
    /// The same names and labels in files of other sizes.
    Sizes {
        /// Bytes in all, now.
        found: u64,
        /// Before.
        expected: u64,
    },
    /// Files of the same names and sizes that were written since.
    Times,
}

impl DataChange {
    /// Whether the samples by their order are others: what was trained on is then not what comes first.
    pub fn is_of_samples(&self) -> bool {
        matches!(self, DataChange::Count { .. } | DataChange::Names { .. })
    }
}

impl fmt::Display for DataChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DataChange::Count { found, expected } => write!(f, "{found} samples now, {expected} then"),
            DataChange::Names { samples } => write!(f, "as many samples, {samples}, and other ones"),
            DataChange::Labels => f.write_str("the same samples with other labels"),
            DataChange::Sizes { found, expected } => {
                write!(f, "files of the same names with other contents, {found} bytes now, {expected} then")
            }
            DataChange::Times => f.write_str("files of the same names and sizes, written since"),
        }
    }
}

impl Fingerprints {
    /// Without the times of the files, which copies of the same data do not share.
    pub fn without_times(&self) -> Fingerprints {
        let mut same = self.clone();
        let sets = std::iter::once(&mut same.train).chain(&mut same.val).chain(same.sets.values_mut());
        sets.for_each(|set| set.files.times = 0);
        same
    }
}

/// The samples of a run, before a `val_split`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprints {
    /// Training samples.
    pub train: Fingerprint,
    /// Validation samples that come from elsewhere.
    pub val: Option<Fingerprint>,
    /// Those of further validation sets, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sets: BTreeMap<String, Fingerprint>,
}

#[cfg(test)]
mod tests;
