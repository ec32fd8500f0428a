//! Predictions of several labels a sample.

use tch::{Kind, TchError, Tensor};
use thaw_metrics::Tagged;

use super::numbers_of;

/// A label is there where the target is above this.
const PRESENT: f64 = 0.5;

/// Batches of logits and targets, `[samples, labels]`.
#[derive(Default)]
pub(super) struct TagBatches {
    labels: usize,
    logits: Vec<Tensor>,
    targets: Vec<Tensor>,
}

impl TagBatches {
    /// Takes a batch of both; they have the same shape.
    pub(super) fn push(&mut self, logits: &Tensor, targets: &Tensor) -> Result<(), TchError> {
        self.labels = usize::try_from(logits.size()[1]).unwrap_or(0);
        self.logits.push(logits.f_detach()?);
        self.targets.push(targets.shallow_clone());
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.logits.is_empty()
    }

    /// All samples; waits for the device.
    pub(super) fn finish(&self) -> Result<Tagged, TchError> {
        let sigmoid = |logits: &Tensor| logits.f_to_kind(Kind::Double)?.f_sigmoid();
        let probabilities = self.logits.iter().map(sigmoid).collect::<Result<Vec<_>, _>>()?;
        let present = numbers_of(&self.targets)?.into_iter().map(|target| target > PRESENT).collect();
        Ok(Tagged { labels: self.labels, probabilities: numbers_of(&probabilities)?, present })
    }
}
