//! The state of a run, without the plugins that act on it.

use std::collections::{BTreeMap, BTreeSet};

use thaw_plugin_api::context::{CheckpointName, Progress};

use super::audit::Frozen;
use super::events::Warnings;
use super::kept_paths::KeptPaths;
use super::readings::{Arriving, ReadRow, Readings};
use super::scaler::LossScaler;
use super::{Best, FitError, Meter, Monitored, run_length};
use crate::Error;
use crate::checkpoint::CheckpointStore;
use crate::config::{Audit, RunConfig};
use crate::data::DataModule;
use crate::model::HostModel;
use crate::optimizer::{Optimizer, Parameters};
use crate::run_dir::RunDir;
use crate::scheduler::{Restart, RunLength, Scheduler};
use crate::swap::Swap;

/// Everything of a run that checkpoints keep or hooks can see.
pub struct RunState {
    /// The run config.
    pub config: RunConfig,
    /// The model with its freeze state.
    pub model: HostModel,
    /// Training and validation data.
    pub data: DataModule,
    /// The optimizer; not there in `setup`.
    pub optimizer: Option<Optimizer>,
    /// The model's parameters by name, tied ones once.
    pub parameters: Parameters,
    /// The scheduler.
    pub scheduler: Option<Scheduler>,
    /// Where the run stands.
    pub progress: Progress,
    /// The present epoch's value of each metric; while an epoch starts, that of the epoch before.
    pub metrics: BTreeMap<String, f64>,
    /// Every metric that there was.
    pub known_metrics: BTreeSet<String>,
    /// Metrics that hooks wait for.
    pub monitored: BTreeSet<Monitored>,
    /// Whether their names were compared with those of a batch.
    pub monitors_checked: bool,
    /// Optimizer steps before the last validation.
    pub validated_at: Option<usize>,
    /// The last batch's loss that was read; [`RunState::read_all`] reads them up to the last batch.
    pub loss: Option<f64>,
    /// Loss and metrics of batches that are not read yet.
    pub readings: Readings,
    /// The first loss or norm of gradients that is not finite.
    pub not_finite: Option<FitError>,
    /// Checkpoints that could not be written and were not since, with the reason.
    pub lost: BTreeMap<String, String>,
    /// Whether the first epoch of this process has laid out its groups.
    pub laid_out: bool,
    /// Rates of the last step, by position of the group.
    pub used_rates: Vec<f64>,
    /// Why the run ends.
    pub exception: Option<String>,
    /// What hooks asked for.
    pub requests: Requests,
    /// Sums of the epoch.
    pub meter: Meter,
    /// The best checkpoint.
    pub best: Option<Best>,
    /// Epoch checkpoints that are kept, best first.
    pub kept: Vec<Best>,
    /// Checkpoints that hooks asked for, by name.
    pub requested: BTreeSet<CheckpointName>,
    /// Where everything is written.
    pub run_dir: RunDir,
    /// Checkpoints of the run.
    pub store: CheckpointStore,
    /// Files and folders of the run config, as checkpoints name them.
    pub paths: KeptPaths,
    /// Loss scaling, in float16.
    pub scaler: Option<LossScaler>,
    /// Whether freeze state or groups changed since they were reported.
    pub changed: bool,
    /// Whether gradients are to be audited after the next backward.
    pub audit_gradients: bool,
    /// Digests of what is frozen.
    pub frozen: Frozen,
    /// Strategies replaced while running.
    pub swaps: Vec<Swap>,
    /// Results of the last validation.
    pub validation: Option<super::Evaluation>,
    /// Samples that were trained on since the run was started, each as often as it was.
    pub samples: u64,
    /// Where warnings of the run go.
    pub warnings: Warnings,
    /// Samples in the present accumulation window.
    pub window_samples: usize,
    /// See [`RunLength::extra_steps`].
    pub extra_steps: i64,
}

/// What hooks asked for, done as soon as the loop allows.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    /// Why to stop.
    pub stop: Option<String>,
    /// Names of checkpoints to write.
    pub checkpoints: Vec<CheckpointName>,
    /// Whether to validate.
    pub validate: bool,
    /// How the scheduler starts anew.
    pub restart: Option<Restart>,
    /// Metrics logged since the last record.
    pub logged: BTreeMap<String, f64>,
}

impl RunState {
    /// How long the run is, for schedules that span it.
    pub fn run_length(&self) -> RunLength {
        RunLength { extra_steps: self.extra_steps, ..run_length(&self.config, &self.progress) }
    }

    /// Whether nothing was trained yet.
    pub fn is_fresh(&self) -> bool {
        self.progress.global_step == 0 && self.progress.epoch == 0 && self.progress.batch_index == 0
    }

    /// Takes what batches gave into the epoch's means.
    pub(super) fn take(&mut self, rows: &[ReadRow]) {
        self.arriving().take(rows);
    }

    fn arriving(&mut self) -> Arriving<'_> {
        Arriving {
            readings: &mut self.readings,
            meter: &mut self.meter,
            loss: &mut self.loss,
            not_finite: &mut self.not_finite,
        }
    }

    /// Reads what batches gave up to the last one; waits for the device.
    ///
    /// # Errors
    /// The device failed at what came before.
    pub fn read_all(&mut self) -> Result<(), FitError> {
        self.arriving().take_all()
    }

    /// Ends a run whose loss or gradients are not finite, if that is wanted.
    ///
    /// # Errors
    /// They were not, and `detect_anomaly` is on.
    pub fn check_finite(&mut self) -> Result<(), FitError> {
        self.not_finite.take().filter(|_| self.config.trainer.detect_anomaly).map_or(Ok(()), Err)
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
        self.config.trainer.max_steps.is_some_and(|steps| self.progress.global_step >= steps)
    }

    /// The optimizer.
    ///
    /// # Errors
    /// It is not built yet.
    pub fn optimizer(&mut self) -> Result<&mut Optimizer, FitError> {
        self.optimizer.as_mut().ok_or_else(|| FitError::Config("there is no optimizer yet".to_owned()))
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
        let Some(optimizer) = &self.optimizer else { return Ok(()) };
        if self.config.trainer.audit == Audit::Off {
            return Ok(());
        }
        self.report_findings(super::audit::groups(self.model.tree(), optimizer.groups()))?;
        let frozen = self.model.tree().parameters().filter(|parameter| !parameter.requires_grad);
        let frozen = frozen.filter_map(|parameter| {
            Some((parameter.name.as_str(), self.model.tensor(&parameter.name).ok()?))
        });
        self.frozen = Frozen::of(frozen)?;
        self.audit_gradients = true;
        Ok(())
    }

    /// Ends a run in which nothing trains, at its first step.
    ///
    /// # Errors
    /// No parameter of a group requires a gradient.
    pub fn check_something_trains(&self) -> Result<(), FitError> {
        let Some(optimizer) = &self.optimizer else { return Ok(()) };
        let grouped = optimizer.groups().iter().flat_map(|group| &group.parameters);
        let trains = grouped
            .filter_map(|name| self.model.tree().parameter(name).ok())
            .any(|parameter| parameter.requires_grad);
        if trains {
            return Ok(());
        }
        let trainable = self.model.tree().trainable().len();
        let reason = if trainable == 0 {
            "everything is frozen. Leave a head trainable, or unfreeze from epoch 0".to_owned()
        } else {
            format!(
                "{trainable} parameters are trainable, but none of them is in a group; see [optimizer] parameters"
            )
        };
        Err(FitError::NothingTrains { reason })
    }
}
