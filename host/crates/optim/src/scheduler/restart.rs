//! A scheduler that takes the place of the run's in the middle of it.

use serde_json::Value;
use thaw_plugin_api::config::Config as _;
use thaw_plugin_api::context::Progress;

use super::{Result, RunLength, Scheduler, SchedulerConfig};
use crate::optimizer::{Optimizer, OptimizerConfig};

/// What a hook asked for: the scheduler starts anew, perhaps with other settings.
#[derive(Clone, Debug)]
pub struct Restart {
    settings: Option<SchedulerConfig>,
    until_epoch: Option<usize>,
    until_step: Option<usize>,
}

impl Restart {
    /// Reads what crossed the boundary.
    ///
    /// # Errors
    /// Settings that are no `[scheduler]` table.
    pub fn read(
        settings: Option<Value>,
        until_epoch: Option<usize>,
        until_step: Option<usize>,
    ) -> Result<Self> {
        let read = |settings| SchedulerConfig::from_value(&settings, &SchedulerConfig::key());
        Ok(Self { settings: settings.map(read).transpose()?, until_epoch, until_step })
    }

    /// Checks what [`Self::start`] would find wrong with the settings.
    ///
    /// # Errors
    /// A value out of range, or an expression that cannot be read.
    pub fn check(self, optimizer: &OptimizerConfig) -> Result<()> {
        let one = RunLength::even(1, 1);
        self.settings.map_or(Ok(()), |settings| Scheduler::new(settings, one, optimizer).map(drop))
    }

    /// The new scheduler, started over the optimizer's groups; none where neither this nor the run config has
    /// settings.
    ///
    /// # Errors
    /// A value out of range, or a rate that is no number of 0 or more.
    pub fn start(
        self,
        run: Option<&SchedulerConfig>,
        length: RunLength,
        progress: &Progress,
        optimizer: &mut Optimizer,
    ) -> Result<Option<Scheduler>> {
        let is_own = self.settings.is_none() && progress.global_step == 0;
        let left = self.length(&length, progress);
        let Some(config) = self.settings.or_else(|| run.cloned()) else { return Ok(None) };
        let mut scheduler = Scheduler::new(config, if is_own { length } else { left }, optimizer.config())?;
        scheduler.replaces_the_runs = !is_own;
        scheduler.start(optimizer.groups_mut())?;
        Ok(Some(scheduler))
    }

    /// What is left from here to the end of the schedule.
    fn length(&self, run: &RunLength, progress: &Progress) -> RunLength {
        let end = self.until_epoch.map_or(run.max_epochs, |epoch| epoch.min(run.max_epochs));
        let limits = [self.until_step, run.max_steps].into_iter().flatten();
        let last = limits.fold(run.steps_before(end).saturating_add_signed(run.extra()), usize::min);
        let steps = last.saturating_sub(progress.global_step).max(1);
        let left = run.left_at(progress.epoch);
        let epochs = end.saturating_sub(progress.epoch).min(left.epochs_for(steps)).max(1);
        RunLength { max_epochs: epochs, max_steps: Some(steps), ..left }
    }
}
