//! What the loop keeps of an epoch: waits for the device, and its metrics.

use super::Fit;
use super::arrival::Transfers;
use super::events::{EventKind, Weights};
use crate::Error;
use thaw_torch::reading::WaitCounter;

/// Where it is set, each epoch logs how often its batches waited for the device.
const COUNT_WAITS: &str = "THAW_COUNT_WAITS";

/// Waits for the device, counted from a batch on.
pub(super) struct CountedWaits {
    counter: WaitCounter,
    from_batch: usize,
    /// Waits for room on the device before.
    before: u64,
}

impl Fit {
    pub(super) fn count_waits(&mut self) -> Result<(), Error> {
        if std::env::var_os(COUNT_WAITS).is_some() {
            let from_batch = self.state.progress().batch_index;
            self.now.waits = Some(CountedWaits {
                counter: WaitCounter::start()?,
                from_batch,
                before: self.waits_for_room(),
            });
        }
        Ok(())
    }

    fn waits_for_room(&self) -> u64 {
        self.now.transfers.as_ref().map_or(0, Transfers::waits)
    }

    pub(super) fn log_waits(&mut self) {
        if let Some(CountedWaits { counter, from_batch, before }) = self.now.waits.take() {
            let batches = self.state.progress().batch_index - from_batch;
            tracing::info!("{} waits for the device in {batches} batches", counter.count());
            let for_room = self.waits_for_room() - before;
            if for_room > 0 {
                tracing::info!("{for_room} of the batches waited for room on the device (data.prefetch_mib)");
            }
        }
    }

    /// The epoch's means of training become its metrics; waits for the device.
    pub(super) fn gather_metrics(&mut self) -> Result<(), Error> {
        self.state.settle()?;
        let means = self.state.measured.meter.means();
        let means: Vec<(String, f64)> = means.map(|(name, mean)| (name.to_owned(), mean)).collect();
        for (name, mean) in means {
            self.state.set_metric(&name, mean);
        }
        self.state.measured.validation = None;
        Ok(())
    }

    /// Hooks have had the epoch: its record, and what waits for its metrics.
    pub(super) fn close_epoch(&mut self, validates: bool) -> Result<(), Error> {
        self.log_epoch(validates)?;
        self.plateau_scheduler()?;
        let spent = std::mem::take(&mut self.now.spent);
        let ending = EventKind::EpochEnding { spent, weights: Weights { model: &self.state.trained.model } };
        self.observers.tell(&self.state.position.progress, ending)?;
        let ended = EventKind::EpochEnded { metrics: &self.state.measured.metrics };
        Ok(self.observers.tell(&self.state.position.progress, ended)?)
    }
}
