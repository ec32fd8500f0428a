//! `samples.jsonl`, with the thumbnails of its records.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use thaw_train::run_dir::SAMPLE_PICTURES;

/// Larger files are no thumbnails.
const LARGEST: u64 = 64 << 10;

/// Samples of a validation that are worth a look.
#[derive(Clone, Debug, Deserialize)]
pub struct SamplesRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps that were done.
    pub step: usize,
    /// Those that are most confidently wrong, the surest first.
    #[serde(default)]
    pub wrong: Vec<SampleRecord>,
    /// Those that are least certain, the least first.
    #[serde(default)]
    pub unsure: Vec<SampleRecord>,
}

/// A sample.
#[derive(Clone, Debug, Deserialize)]
pub struct SampleRecord {
    /// Its file, or its row.
    pub sample: String,
    /// Its class.
    pub target: String,
    /// The likeliest class.
    pub prediction: String,
    /// The likeliest class's probability.
    pub probability: f64,
    /// Name of its thumbnail's file.
    #[serde(default)]
    pub picture: Option<String>,
    /// Its text.
    #[serde(default)]
    pub text: Option<String>,
    /// The second text of a pair.
    #[serde(default)]
    pub text_pair: Option<String>,
}

/// Thumbnails by name, of these records, that are there and are JPEG files.
pub(super) fn pictures(run_dir: &Path, records: &[SamplesRecord]) -> BTreeMap<String, Vec<u8>> {
    let samples = records.iter().flat_map(|record| record.wrong.iter().chain(&record.unsure));
    let names = samples.filter_map(|sample| sample.picture.as_deref());
    let is_plain = |name: &&str| name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.');
    let read = |name: &str| {
        let path = run_dir.join(SAMPLE_PICTURES).join(name);
        let is_small = path.symlink_metadata().is_ok_and(|file| file.is_file() && file.len() <= LARGEST);
        let bytes = std::fs::read(path).ok().filter(|_| is_small)?;
        bytes.starts_with(&[0xff, 0xd8, 0xff]).then(|| (name.to_owned(), bytes))
    };
    names.filter(is_plain).filter_map(read).collect()
}
