//! How hooks reach the strategies and callbacks of a run.

use std::fmt::Display;
use std::time::Instant;

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::Progress;
use thaw_plugin_api::drive::{Call, Instances};

use super::Fit;
use crate::Error;
use thaw_data::Split;

impl Instances for Fit {
    type Error = Error;

    fn progress(&self) -> &Progress {
        &self.state.position.progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.state.position.progress
    }

    fn count(&self) -> usize {
        self.callbacks.len()
    }

    fn kind(&self, index: usize) -> Kind {
        self.callbacks[index].kind()
    }

    fn call(&mut self, index: usize, call: Call) -> Result<(), Error> {
        let callback = &mut self.callbacks[index];
        if matches!(call, Call::Hook(hook) if !callback.wants(hook)) {
            return Ok(());
        }
        let progress = self.state.progress();
        let start = self.state.is_profiled().then(Instant::now);
        callback.run(call, &progress, &mut self.state)?;
        match start {
            Some(start) => self.tell_timed(call.name(), Some(index), start.elapsed()),
            None => Ok(()),
        }
    }

    /// Freeze state or groups may have changed outside the start of an epoch.
    fn called(&mut self) -> Result<(), Error> {
        if !self.state.watched.changed {
            return Ok(());
        }
        // Before the first epoch, in the sanity check, too, strategies are still laying out groups, and its
        // start reports anyway.
        if self.state.watched.laid_out && self.state.trained.optimizer.is_some() {
            // What was frozen until now, before it may be so no more.
            self.state.report_moved(crate::audit::Look::Values)?;
            self.adopt_groups()?;
            self.agree_on_groups()?;
            self.state.audit()?;
            self.report_groups()?;
            self.follow_freeze_state(&[Split::Train, Split::Val])?;
        }
        Ok(())
    }

    fn failed(&mut self, reason: &dyn Display) {
        if let Err(error) = self.settle_checkpoint() {
            self.state.warnings.warn(&error);
        }
        self.state.position.exception = Some(reason.to_string());
    }

    fn tell(&mut self, error: Error) {
        self.state.warnings.warn(&error);
    }

    fn before_teardown(&mut self) {
        self.flush_observers();
    }
}
