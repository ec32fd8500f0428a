//! When the scheduler acts.

use super::{Fit, FitError};
use thaw_optim::optimizer::Optimizer;
use thaw_optim::scheduler::{Interval, Scheduler};

impl Fit {
    /// After an optimizer step. Groups are touched only by a schedule of steps: others would make the
    /// optimizer read them anew for nothing.
    pub(super) fn schedule_step(&mut self) -> Result<(), FitError> {
        let state = &mut self.state;
        let Some(scheduler) = &state.trained.scheduler else { return Ok(()) };
        if scheduler.config().interval != Interval::Step {
            return Ok(());
        }
        let monitor = scheduler.monitor().map(|(name, _)| name.to_owned());
        if monitor.as_deref() == Some("train_loss") {
            state.settle()?;
        }
        let (Some(scheduler), Some(optimizer)) = (&mut state.trained.scheduler, &mut state.trained.optimizer)
        else {
            return Ok(());
        };
        let batch = state.position.progress.batch_index;
        match monitor.map(|name| name == "train_loss") {
            None => scheduler.on_step(optimizer.groups_mut(), batch)?,
            Some(true) => {
                if let Some(loss) = state.measured.loss {
                    scheduler.on_metric(loss, optimizer.groups_mut(), batch)?;
                }
            }
            Some(false) => drop(scheduler.on_offered(optimizer.groups_mut(), batch)?),
        }
        Ok(())
    }

    /// After an epoch's last optimizer step.
    pub(super) fn schedule_epoch(&mut self) -> Result<(), FitError> {
        let state = &mut self.state;
        if let (Some(scheduler), Some(optimizer)) =
            (&mut state.trained.scheduler, &mut state.trained.optimizer)
        {
            scheduler.on_epoch_end(optimizer.groups_mut(), state.position.progress.epoch)?;
        }
        Ok(())
    }

    /// After the hooks of an epoch's end: reduce-on-plateau sees this epoch's metrics.
    pub(super) fn plateau_scheduler(&mut self) -> Result<(), FitError> {
        let state = &mut self.state;
        let (Some(scheduler), Some(optimizer)) = (&mut state.trained.scheduler, &mut state.trained.optimizer)
        else {
            return Ok(());
        };
        let Some((name, Interval::Epoch)) =
            scheduler.monitor().map(|(name, interval)| (name.to_owned(), interval))
        else {
            return Ok(());
        };
        // An epoch without a new value changes nothing.
        if let Some(value) = state.measured.metrics.get(&name).copied() {
            scheduler.on_metric(value, optimizer.groups_mut(), state.position.progress.epoch)?;
        }
        Ok(())
    }

    /// Says that an epoch begins in which no weight can move. A schedule of steps may begin at 0 and rise.
    pub(super) fn warn_of_rates_of_0(&self) {
        let of_steps = |scheduler: &Scheduler| scheduler.config().interval == Interval::Step;
        let groups = self.state.trained.optimizer.as_ref().map(Optimizer::groups).unwrap_or_default();
        let is_first = self.state.progress().global_step == 0;
        let may_rise = is_first && self.state.trained.scheduler.as_ref().is_some_and(of_steps);
        if !groups.is_empty() && groups.iter().all(|group| group.lr == 0.0) && !may_rise {
            let epoch = self.state.progress().epoch + 1;
            self.state
                .warnings
                .warn(format_args!("every learning rate is 0 in epoch {epoch}: no parameter moves"));
        }
    }

    /// Groups that appeared start at their own rate and follow the schedule from here, or all start with a
    /// new schedule.
    pub(super) fn adopt_groups(&mut self) -> Result<(), FitError> {
        let state = &mut self.state;
        let length = state.run_length();
        if let (Some(restart), Some(optimizer)) =
            (state.requests.restart.take(), &mut state.trained.optimizer)
        {
            state.trained.scheduler = restart.start(
                state.config.scheduler.as_ref(),
                length,
                &state.position.progress,
                optimizer,
            )?;
        }
        if let (Some(scheduler), Some(optimizer)) =
            (&mut state.trained.scheduler, &mut state.trained.optimizer)
        {
            scheduler.adopt(optimizer.groups_mut())?;
        }
        Ok(())
    }
}
