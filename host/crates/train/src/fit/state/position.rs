//! Where a run stands.

use thaw_plugin_api::context::Progress;

use crate::checkpoint::SavedPosition;
use crate::fit::resume::EpochPosition;
use thaw_data::{DataModule, Split};
use thaw_optim::scheduler::RunLength;

/// Where a run stands: in epochs, samples and steps, and inside an accumulation window.
#[derive(Clone, Debug, Default)]
pub struct Position {
    /// Epoch, batch and step, as hooks see them, and how many there are to be. Where in its epoch the run
    /// stands, in samples: [`Position::sample`].
    pub progress: Progress,
    /// Samples that were trained on since the run was started, each as often as it was.
    pub samples: u64,
    /// Samples in the present accumulation window; 0 between two windows.
    pub window_samples: usize,
    /// See [`RunLength::extra_steps`].
    pub extra_steps: i64,
    /// Why the run ends, where it failed.
    pub exception: Option<String>,
}

impl Position {
    /// Samples of the epoch that were trained on, in its order: whole batches of this size. It is what a
    /// checkpoint keeps and a resumed run goes on from; batches may have another size then.
    pub(in crate::fit) fn sample(&self, batch_size: usize) -> usize {
        self.progress.batch_index * batch_size
    }

    /// What a checkpoint keeps: it lies between two accumulation windows, and only a run that has not failed
    /// writes one. `length` is the run's, with [`Self::extra_steps`].
    pub(in crate::fit) fn save(&self, data: &DataModule, length: RunLength) -> SavedPosition {
        let Self { progress, samples, window_samples: _, extra_steps: _, exception: _ } = self;
        SavedPosition {
            epoch: progress.epoch,
            batch: progress.batch_index,
            sample: Some(self.sample(data.batch_size(Split::Train))),
            train_samples: Some(data.samples(Split::Train)),
            global_step: progress.global_step,
            length: Some(length),
            samples: Some(*samples),
            processes: Some(data.shared().processes()).filter(|processes| *processes > 1),
        }
    }

    /// Takes over what a checkpoint keeps, where batches have this size now. How many there are to be, the
    /// run config and the data say; `extra_steps` follow from the lengths of then and now.
    pub(in crate::fit) fn restore(&mut self, saved: &SavedPosition, at: EpochPosition, batch_size: usize) {
        let SavedPosition {
            epoch,
            batch: _,
            sample: _,
            train_samples: _,
            global_step,
            length: _,
            samples: _,
            processes: _,
        } = saved;
        let Self { progress, samples, window_samples, extra_steps: _, exception: _ } = self;
        *samples = saved.samples_of_run();
        progress.epoch = *epoch;
        progress.batch_index = at.batch_of(batch_size);
        progress.global_step = *global_step;
        *window_samples = 0;
    }
}
