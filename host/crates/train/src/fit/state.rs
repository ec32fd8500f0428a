//! The state of a run, without the plugins that act on it.
//!
//! It is made of parts, each in a file of its own: what is [`Trained`], the [`Position`] in the run, what was
//! [`Measured`], what is [`Kept`] on disk, the [`Requests`] of hooks, what the loop has [`Watched`], and the
//! frozen [`Prefix`].

mod kept;
mod measured;
mod position;
mod prefix;
mod requests;
#[cfg(test)]
pub(in crate::fit) mod tests;
mod trained;
mod watched;

use std::collections::BTreeMap;

use thaw_plugin_api::context::Progress;

pub use kept::Kept;
pub use measured::Measured;
pub use position::Position;
pub use prefix::Prefix;
pub use requests::Requests;
pub use trained::Trained;
pub(super) use trained::{HeldTrained, restore_optimizer_state, restored_sets, values_of};
pub use watched::Watched;

use super::events::Warnings;
use super::readings::ReadRow;
use super::{BatchOutcome, FitError};
use crate::Error;
use crate::audit::Look;
use crate::config::{Audit, RunConfig};
use crate::parts::run_length;
use crate::world::World;
use thaw_data::DataModule;
use thaw_optim::optimizer::Optimizer;
use thaw_optim::scheduler::RunLength;

/// Everything of a run that checkpoints keep or hooks can see.
pub struct RunState {
    /// The run config.
    pub config: RunConfig,
    /// Training and validation data.
    pub data: DataModule,
    /// Model, optimizer, scheduler.
    pub trained: Trained,
    /// Where the run stands.
    pub position: Position,
    /// Losses and metrics.
    pub measured: Measured,
    /// What hooks asked for.
    pub requests: Requests,
    /// Run directory and checkpoints.
    pub kept: Kept,
    /// What the loop looks after.
    pub watched: Watched,
    /// What passes start from instead of the samples.
    pub prefix: Prefix,
    /// What hooks can look at of the batch of validation that is done, between its step and its end.
    pub outcome: Option<BatchOutcome>,
    /// Where warnings of the run go.
    pub warnings: Warnings,
    /// The processes of the run.
    pub world: World,
}

impl RunState {
    /// Epoch, batch and step, as hooks see them.
    pub fn progress(&self) -> Progress {
        self.position.progress
    }

    /// Batches whose gradients are added before a step of the present epoch.
    pub fn window(&self) -> usize {
        self.config.trainer.accumulate_grad_batches.at(self.progress().epoch)
    }

    /// How long the run is, for schedules that span it.
    pub fn run_length(&self) -> RunLength {
        RunLength { extra_steps: self.position.extra_steps, ..run_length(&self.config, &self.progress()) }
    }

    /// Whether nothing was trained yet.
    pub fn is_fresh(&self) -> bool {
        self.progress().is_fresh()
    }

    /// Takes what batches gave into the epoch's means.
    pub(super) fn take(&mut self, rows: &[ReadRow]) {
        self.measured.arriving().take(rows);
    }

    /// Reads what batches gave up to the last one; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn read_all(&mut self) -> Result<(), FitError> {
        self.measured.arriving().take_all()
    }

    /// Ends a run whose loss or gradients are not finite, if that is wanted.
    ///
    /// # Errors
    /// They were not, and `detect_anomaly` is on.
    pub fn check_finite(&mut self) -> Result<(), FitError> {
        self.measured.not_finite.take().filter(|_| self.config.trainer.detect_anomaly).map_or(Ok(()), Err)
    }

    /// Reads what batches gave up to the last one, and looks at the losses.
    ///
    /// # Errors
    /// As [`RunState::read_all`] and [`RunState::check_finite`].
    pub fn settle(&mut self) -> Result<(), FitError> {
        self.read_all()?;
        self.check_finite()
    }

    /// Whether the limit of steps is reached.
    pub fn reached_max_steps(&self) -> bool {
        self.config.trainer.max_steps.is_some_and(|steps| self.progress().global_step >= steps)
    }

    /// Asks the run to stop; the first reason counts. One that comes before `min_epochs` and `min_steps`
    /// waits, which is said.
    pub fn ask_to_stop(&mut self, reason: String) {
        if self.requests.stop.is_none() {
            if !self.may_stop() {
                let reason = thaw_terminal::escape(&reason);
                tracing::info!("stopping ({reason}) waits until `min_epochs` and `min_steps` are reached");
            }
            self.requests.stop = Some(reason);
        }
    }

    /// The same, of a run that has taken as long as it may.
    pub(super) fn ask_to_stop_for_time(&mut self) {
        if let Some(time) = self.config.trainer.max_time {
            self.ask_to_stop(format!("max_time = {time} is reached"));
        }
    }

    fn may_stop(&self) -> bool {
        self.config.trainer.may_stop(self.progress().epoch, self.progress().global_step)
    }

    /// Whether somebody has asked for a stop that is due.
    pub fn is_asked_to_stop(&self) -> bool {
        self.requests.stop.is_some() && self.may_stop()
    }

    /// Why the run is to stop, if that is due; once.
    pub fn take_stop(&mut self) -> Option<String> {
        if self.may_stop() { self.requests.stop.take() } else { None }
    }

    /// A stop that waits, for checkpoints.
    pub(super) fn waiting_stop(&self) -> Option<String> {
        self.requests.stop.clone().filter(|_| !self.may_stop())
    }

    /// The optimizer.
    ///
    /// # Errors
    /// It is not built yet.
    pub fn optimizer(&mut self) -> Result<&mut Optimizer, FitError> {
        self.trained
            .optimizer
            .as_mut()
            .ok_or_else(|| FitError::Config("there is no optimizer yet".to_owned()))
    }

    /// Reports findings as `trainer.audit` says.
    ///
    /// # Errors
    /// There are some, and the audit is strict.
    pub fn report_findings(&self, findings: Vec<String>) -> Result<(), Error> {
        if findings.is_empty() {
            return Ok(());
        }
        match self.config.trainer.audit {
            Audit::Error => return Err(FitError::Audit(findings).into()),
            Audit::Warn => findings.iter().for_each(|finding| self.warnings.warn(finding)),
            Audit::Off => {}
        }
        Ok(())
    }

    /// Checks freeze state against groups.
    ///
    /// # Errors
    /// They disagree, and the audit is strict; or nothing trains at all.
    pub fn audit(&mut self) -> Result<(), Error> {
        let Some(optimizer) = &self.trained.optimizer else { return Ok(()) };
        if self.config.trainer.audit == Audit::Off {
            return Ok(());
        }
        self.report_findings(crate::audit::groups(self.trained.model.tree(), optimizer.groups()))?;
        let frozen = self.trained.model.tree().parameters().filter(|parameter| !parameter.requires_grad);
        let frozen = frozen.filter_map(|parameter| {
            Some((parameter.name.as_str(), self.trained.model.tensor(&parameter.name).ok()?))
        });
        self.watched.frozen = std::mem::take(&mut self.watched.frozen).followed_by(frozen)?;
        self.watched.frozen_in_set = self.trained.sets.in_model().is_some();
        self.watched.audit_gradients = true;
        Ok(())
    }

    /// Reports what is frozen and moved; while a tensor set is in the model, that says nothing.
    ///
    /// # Errors
    /// As [`RunState::report_findings`].
    pub(super) fn report_moved(&self, look: Look) -> Result<(), Error> {
        if self.trained.sets.in_model().is_some() {
            return Ok(());
        }
        self.report_findings(self.watched.frozen.moved(look)?)
    }

    /// How thoroughly what is frozen is looked at when an epoch ends.
    pub(super) fn look_after_epoch(&self) -> Look {
        let epoch = self.progress().epoch;
        let is_last = epoch + 1 >= self.config.trainer.max_epochs
            || self.reached_max_steps()
            || self.is_asked_to_stop();
        Look::after(epoch, is_last)
    }

    /// Ends a run in which nothing trains, at its first step.
    ///
    /// # Errors
    /// No parameter of a group requires a gradient.
    pub fn check_something_trains(&self) -> Result<(), FitError> {
        let Some(optimizer) = &self.trained.optimizer else { return Ok(()) };
        let grouped = optimizer.groups().iter().flat_map(|group| &group.parameters);
        let trains = grouped
            .filter_map(|name| self.trained.model.tree().parameter(name).ok())
            .any(|parameter| parameter.requires_grad);
        if trains {
            return Ok(());
        }
        let trainable = self.trained.model.tree().trainable().len();
        let reason = if trainable == 0 {
            "everything is frozen. Leave a head trainable, or unfreeze from epoch 0".to_owned()
        } else {
            format!(
                "{trainable} parameters are trainable, but none of them is in a group; see [optimizer] \
                 parameters"
            )
        };
        Err(FitError::NothingTrains { reason })
    }
}

/// The numbers that JSON has: no infinities and no NaN.
fn finite(metrics: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let finite = metrics.iter().filter(|(_, value)| value.is_finite());
    finite.map(|(name, value)| (name.clone(), *value)).collect()
}
