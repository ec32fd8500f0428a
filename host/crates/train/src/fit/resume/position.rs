//! Where in an epoch a checkpoint lies, in samples: batches may have another size now.

use crate::checkpoint::SavedPosition;
use crate::config::RunConfig;

/// The place of a checkpoint in its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochPosition {
    /// Samples of the epoch that were trained on.
    pub sample: usize,
    /// Samples in a batch, then.
    pub batch_size: usize,
    epoch: usize,
}

impl EpochPosition {
    /// Of a checkpoint that this run config wrote.
    pub fn of(saved: &SavedPosition, config: &RunConfig) -> Self {
        let of_process = config.data.as_ref().map_or(1, |data| data.loading.batch_size);
        let batch_size = of_process * saved.processes.unwrap_or(1);
        Self { sample: saved.sample_of_epoch(batch_size), batch_size, epoch: saved.epoch }
    }

    /// Whether some of the epoch is done, and some not.
    pub fn is_inside(&self) -> bool {
        self.sample > 0
    }

    /// The batch of this size that comes next. Where the samples so far are no whole batches, [`Self::fits`]
    /// says so.
    pub fn batch_of(&self, batch_size: usize) -> usize {
        self.sample / batch_size.max(1)
    }

    /// The batch that came next when the checkpoint was written.
    pub fn batch_then(&self) -> usize {
        self.batch_of(self.batch_size)
    }

    /// Optimizer steps of the epoch until here, as the run of this run config took them.
    pub fn steps(&self, config: &RunConfig) -> usize {
        self.batch_then().div_ceil(self.window(config))
    }

    /// Batches of an accumulation window of the epoch.
    pub fn window(&self, config: &RunConfig) -> usize {
        config.trainer.accumulate_grad_batches.at(self.epoch)
    }

    /// Why the epoch cannot go on in batches of this size, accumulated in windows of so many; none where it
    /// can.
    pub fn fits(&self, batch_size: usize, window: usize, batches: usize) -> Option<String> {
        let epoch = self.epoch + 1;
        if !self.sample.is_multiple_of(batch_size) {
            return Some(format!(
                "the checkpoint lies after {} samples of epoch {epoch}, which are no whole batches of \
                 {batch_size}; take a size that divides them, or resume from the end of an epoch",
                self.sample
            ));
        }
        let batch = self.batch_of(batch_size);
        if !batch.is_multiple_of(window) {
            return Some(format!(
                "the checkpoint lies after {batch} batches of epoch {epoch}, which are no whole windows of \
                 {window}"
            ));
        }
        (batch >= batches).then(|| format!("epoch {epoch} has only {batches} batches, and {batch} are done"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER_24: EpochPosition = EpochPosition { sample: 24, batch_size: 4, epoch: 1 };

    #[test]
    fn samples_so_far_are_counted_in_batches_of_the_new_size() {
        for (size, batch) in [(4, 6), (8, 3), (2, 12), (24, 1)] {
            assert_eq!(AFTER_24.batch_of(size), batch);
            assert_eq!(AFTER_24.fits(size, 1, 100), None);
        }
        assert_eq!(AFTER_24.batch_then(), 6);
    }

    #[test]
    fn a_size_that_would_repeat_or_leave_out_samples_does_not_fit() {
        let reason = AFTER_24.fits(7, 1, 100).unwrap();
        assert!(reason.contains("24 samples of epoch 2") && reason.contains("batches of 7"), "{reason}");
    }

    #[test]
    fn half_a_window_does_not_fit() {
        assert_eq!(AFTER_24.fits(4, 3, 100), None);
        assert!(AFTER_24.fits(4, 4, 100).unwrap().contains("windows of 4"));
        assert!(AFTER_24.fits(2, 1, 12).unwrap().contains("only 12 batches"));
    }
}
