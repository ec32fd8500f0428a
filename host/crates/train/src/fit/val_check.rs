//! When an epoch validates: `check_val_every_n_epoch` and `val_check_interval`.

use thaw_plugin_api::config::ConfigError;

use super::{Fit, RunState};
use crate::config::TrainerConfig;

/// Every how many of an epoch's batches a validation is due, of so many; all of them where the run config
/// says nothing.
///
/// # Errors
/// More batches than there are.
pub(super) fn val_check_batch(trainer: &TrainerConfig, batches: usize) -> Result<usize, ConfigError> {
    match trainer.val_check_interval {
        Some(interval) => interval.interval(batches, "trainer.val_check_interval"),
        None => Ok(batches),
    }
}

impl Fit {
    /// Says that validations inside windows of accumulation rank no checkpoint: `best` may be an older one,
    /// or none.
    pub(super) fn warn_of_windows(&self) {
        let (trainer, checkpoint) = (&self.state.config.trainer, &self.state.config.checkpoint);
        let progress = self.state.progress();
        let is_ranked =
            checkpoint.enabled && checkpoint.save_top_k != 0 && progress.num_validation_batches > 0;
        let Ok(every) = val_check_batch(trainer, progress.num_training_batches) else { return };
        let to_come = progress.epoch + 1..progress.max_epochs;
        let later = trainer.accumulate_grad_batches.later().iter();
        let later = later.filter(|(epoch, _)| to_come.contains(epoch)).map(|(_, window)| *window);
        let mut windows = std::iter::once(self.state.window()).chain(later);
        let window = windows.find(|window| !every.is_multiple_of(*window));
        if let Some(window) = window.filter(|_| is_ranked && trainer.val_check_interval.is_some()) {
            self.state.warnings.warn(format_args!(
                "validations after every {every} batches that fall inside a window of \
                 `trainer.accumulate_grad_batches = {window}` rank no checkpoint; with a multiple of \
                 {window} as `trainer.val_check_interval` none does"
            ));
        }
    }
}

impl Fit {
    /// Says that no epoch of the run validates.
    pub(super) fn warn_without_validation(&self) {
        let (every, progress) = (self.state.config.trainer.check_val_every_n_epoch, self.state.progress());
        if progress.num_validation_batches > 0 && every > progress.max_epochs && progress.max_epochs > 0 {
            self.state.warnings.warn(format_args!(
                "`trainer.check_val_every_n_epoch = {every}` is more than the {} epochs of the run: none \
                 of them validates",
                progress.max_epochs
            ));
        }
    }
}

impl RunState {
    /// Whether the present epoch is one of those that validate.
    pub(super) fn is_validating_epoch(&self) -> bool {
        (self.progress().epoch + 1).is_multiple_of(self.config.trainer.check_val_every_n_epoch)
    }

    /// Whether a validation is due between two batches, where the run stands.
    pub(super) fn validates_here(&self) -> bool {
        let progress = self.progress();
        progress.num_validation_batches > 0
            && progress.batch_index < progress.num_training_batches
            && self.is_due_by_batches()
            && self.is_validating_epoch()
    }

    /// Whether the epoch ends with a validation: at its last batch where one is due, and where it stops
    /// before, so that what the run ends with is validated, once.
    pub(super) fn validates_at_end(&self) -> bool {
        let progress = self.progress();
        let is_due = match progress.batch_index < progress.num_training_batches {
            true => !self.is_due_by_batches() || self.measured.validated_at != Some(progress.global_step),
            false => self.is_due_by_batches(),
        };
        is_due && self.is_validating_epoch()
    }

    fn is_due_by_batches(&self) -> bool {
        let progress = self.progress();
        // What cannot be an interval was refused when the run was built.
        let every = val_check_batch(&self.config.trainer, progress.num_training_batches);
        progress.batch_index.is_multiple_of(every.unwrap_or(progress.num_training_batches))
    }
}
