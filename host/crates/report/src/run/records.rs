//! Records that need no more than to be read.

use serde::Deserialize;
use thaw_metrics::{BINS, Bin, Calibration};

/// A confusion matrix.
#[derive(Clone, Debug, Deserialize)]
pub struct ConfusionRecord {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps that were done.
    pub step: usize,
    /// How many classes there are.
    pub classes: usize,
    /// Class, predicted class, samples.
    pub counts: Vec<(usize, usize, u64)>,
    /// By bins of the prediction's probability: samples, how many of them are right, their mean probability.
    /// Runs of earlier versions did not record it.
    #[serde(default)]
    pub calibration: Vec<(u64, u64, f64)>,
}

impl ConfusionRecord {
    /// Predictions by their probability, where they are recorded.
    pub fn calibration(&self) -> Option<Calibration> {
        let bin = |&(samples, hits, mean): &(u64, u64, f64)| Bin {
            samples,
            hits,
            confidence: mean * samples as f64,
        };
        let bins: Vec<Bin> = self.calibration.iter().map(bin).collect();
        let is_whole = bins.len() == BINS + 1 && bins.iter().any(|bin| bin.samples > 0);
        is_whole.then_some(Calibration { bins })
    }
}

/// A plugin that ran.
#[derive(Clone, Debug, Deserialize)]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its file.
    #[serde(default)]
    pub path: String,
    /// The file's SHA-256.
    #[serde(default)]
    pub sha256: String,
}

/// A strategy that took over.
#[derive(Clone, Debug, Deserialize)]
pub struct SwapRecord {
    /// Its first epoch, from 0.
    pub epoch: usize,
    /// Id of the strategy before.
    pub replaced: String,
    /// Its id.
    pub id: String,
    /// Its plugin.
    pub plugin: String,
    /// The plugin's version.
    pub version: String,
}

/// The run went on from a checkpoint.
#[derive(Clone, Debug, Deserialize)]
pub struct ResumeRecord {
    /// The epoch that it went on with, from 0.
    pub epoch: usize,
    /// The checkpoint.
    pub checkpoint: String,
}
