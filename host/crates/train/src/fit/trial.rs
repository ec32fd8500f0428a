//! Something tried on a run in the state of an epoch to come; the run is afterwards as it was.

mod advance;

use serde_json::Value;
use thaw_plugin_api::abi::Kind;

use super::Fit;
use crate::Error;
use crate::error::{Trial, TrialError};
use thaw_plugins::Instance;

impl Fit {
    /// Lets `body` train in the state in which an epoch starts. Weights, optimizer, random numbers, freeze
    /// state, schedulers and callbacks are afterwards as before, also after a failure: nothing of the run's
    /// own strategies and callbacks is called but `state`. What trains in a later epoch, twins of the
    /// strategies say, as in a plan: no batch comes between, and what waits for a metric goes on waiting.
    ///
    /// # Errors
    /// An epoch that is not to come, a strategy that fails, and those of `body`.
    pub(super) fn try_in<T>(
        &mut self,
        trial: Trial,
        epoch: usize,
        body: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let progress = self.state.progress();
        let (next, end, batch) = (progress.epoch, self.state.config.trainer.max_epochs, progress.batch_index);
        if batch != 0 {
            return Err(TrialError::InsideEpoch { trial, batch }.into());
        }
        if !(next..end).contains(&epoch) {
            return Err(TrialError::Epoch { trial, epoch, next, end }.into());
        }
        let held = self.state.hold()?;
        let detect_anomaly = std::mem::replace(&mut self.state.config.trainer.detect_anomaly, false);
        let mut callbacks = std::mem::take(&mut self.callbacks);
        let tried = self.twins(&mut callbacks).and_then(|twins| {
            self.advance_to(trial, epoch, twins)?;
            body(self)
        });
        self.callbacks = callbacks;
        self.state.config.trainer.detect_anomaly = detect_anomaly;
        self.state.put_back(&held)?;
        tried
    }

    /// Strategies as the run's are, for others to act in their place, with the state of those.
    fn twins(&mut self, callbacks: &mut [Instance]) -> Result<Vec<(Instance, Value)>, Error> {
        let strategies = callbacks.iter_mut().filter(|callback| callback.kind() == Kind::Strategy);
        strategies.map(|strategy| Ok((self.plugins.twin(strategy)?, strategy.state()?))).collect()
    }
}
