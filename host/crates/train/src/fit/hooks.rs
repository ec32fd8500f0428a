//! Every hook of a run is called from here.

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::hook::Hook;

use super::Fit;
use crate::Error;
use thaw_plugins::Failure;

impl Fit {
    /// Runs a hook of every strategy and callback, in the run config's order.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn hooks(&mut self, hook: Hook) -> Result<(), Error> {
        for callback in &mut self.callbacks {
            if callback.wants(hook) {
                let progress = self.state.progress();
                callback.hook(hook, &progress, &mut self.state)?;
            }
        }
        if self.state.watched.changed {
            self.after_change()?;
        }
        Ok(())
    }

    /// The last hook of a run that did not fail, of all, whichever fails.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn teardown(&mut self) -> Result<(), Error> {
        let progress = self.state.progress();
        let results = self
            .callbacks
            .iter_mut()
            .map(|callback| callback.hook(Hook::Teardown, &progress, &mut self.state));
        let failures: Vec<Failure> = results.filter_map(Result::err).collect();
        failures.into_iter().next().map_or(Ok(()), |failure| Err(failure.into()))
    }

    /// The hooks of a run that failed: their own failures are told and change nothing.
    pub(super) fn hooks_after_failure(&mut self, hook: Hook) {
        let progress = self.state.progress();
        for callback in &mut self.callbacks {
            if let Err(failure) = callback.hook(hook, &progress, &mut self.state) {
                self.state.warnings.warn(&failure);
            }
        }
    }

    /// `setup` of all, and what strategies freeze before training.
    ///
    /// # Errors
    /// The first failure.
    pub(super) fn setup(&mut self, fresh: bool) -> Result<(), Error> {
        let progress = self.state.progress();
        for callback in &mut self.callbacks {
            callback.hook(Hook::Setup, &progress, &mut self.state)?;
            if fresh && callback.kind() == Kind::Strategy {
                callback.freeze_before_training(&mut self.state)?;
            }
        }
        Ok(())
    }

    /// Start of an epoch: strategies fine-tune, then the hook.
    ///
    /// # Errors
    /// The first failure, or a disagreement that the audit finds.
    pub(super) fn start_epoch(&mut self) -> Result<(), Error> {
        let progress = self.state.progress();
        let mut incoming = self.incoming()?;
        for index in 0..self.callbacks.len() {
            if let Some(incoming) = incoming.take_if(|incoming| incoming.index() == index)
                && self.take_over(incoming)?
            {
                continue;
            }
            let callback = &mut self.callbacks[index];
            if callback.kind() == Kind::Strategy {
                callback.finetune(&progress, &mut self.state)?;
            }
            callback.hook(Hook::TrainEpochStart, &progress, &mut self.state)?;
        }
        // The epoch before is over: what it gave counts no more.
        self.state.measured.metrics.clear();
        self.adopt_groups()?;
        self.state.audit()?;
        self.state.check_something_trains()?;
        self.warn_of_rates_of_0();
        self.report_groups()
    }

    /// Freeze state or groups changed outside the start of an epoch.
    fn after_change(&mut self) -> Result<(), Error> {
        // Before the first epoch, in the sanity check, too, strategies are still laying out groups, and its start
        // reports anyway.
        if self.state.watched.laid_out && self.state.trained.optimizer.is_some() {
            // What was frozen until now, before it may be so no more.
            let moved = self.state.watched.frozen.moved()?;
            self.state.report_findings(moved)?;
            self.adopt_groups()?;
            self.state.audit()?;
            self.report_groups()?;
        }
        Ok(())
    }
}
