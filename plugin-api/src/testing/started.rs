//! What each step of a run is to a fake one: the host's, without data and without arithmetic.

use std::fmt::Display;

use super::host::Host;
use super::instance::FakeInstance;
use super::log::CaughtLog;
use super::resume::Saved;
use super::run::Setup;
use super::{EpochRecord, StepRecord};
use crate::abi::Kind;
use crate::context::Progress;
use crate::drive::{self, Batches, Call, Instances, Next, Pass, Training, Validating, ValidationData};
use crate::error::{Error, Result};
use crate::hook::Hook;
use crate::optimizer::Optimizer;

/// Batches of the sanity check, at most: what a run has by default.
const SANITY_BATCHES: usize = 2;

/// A fake run under way.
pub(super) struct Started<'r> {
    pub host: &'r mut Host,
    pub setup: &'r mut Setup,
    pub instances: &'r mut [FakeInstance],
    pub log: &'r CaughtLog,
    pub epochs: &'r mut Vec<EpochRecord>,
    pub saved_at_stop: &'r mut Option<serde_json::Value>,
    pub until: Until,
}

/// How far to run.
#[derive(Default)]
pub(super) struct Until {
    epoch: usize,
    step: usize,
}

impl Until {
    pub fn after(epochs: usize, steps: usize, now: &Progress) -> Self {
        Self { epoch: now.epoch.saturating_add(epochs), step: now.global_step.saturating_add(steps) }
    }
}

impl Instances for Started<'_> {
    type Error = Error;

    fn progress(&self) -> &Progress {
        &self.host.progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.host.progress
    }

    fn count(&self) -> usize {
        self.instances.len()
    }

    fn kind(&self, index: usize) -> Kind {
        self.instances[index].kind
    }

    fn call(&mut self, index: usize, call: Call) -> Result<()> {
        let is_called =
            |instance: &FakeInstance| matches!(call, Call::Hook(_)) || instance.kind == Kind::Strategy;
        // An event is one of the run, not of each that sees it.
        if self.instances.iter().position(is_called) == Some(index) {
            self.host.event(call.name());
        }
        self.instances[index].run(call, self.host, self.log)
    }

    fn failed(&mut self, reason: &dyn Display) {
        self.host.exception = Some(reason.to_string());
    }

    fn tell(&mut self, _: Error) {}
}

impl Validating for Started<'_> {
    type Batch = ();
    type Loaded = ();
    type Evaluation = ();

    fn load(&mut self, (): ()) -> Result<()> {
        Ok(())
    }

    fn validation_data(&mut self, batches: usize) -> Result<ValidationData<Self>> {
        self.record_values()?;
        Ok((Box::new((0..batches).map(|index| Ok((index, ())))), ()))
    }

    fn validation_step(&mut self, (): &mut (), (): &()) -> Result<()> {
        let Progress { epoch, batch_index, .. } = self.host.progress;
        self.host.outcome = Some((self.setup.outcome)(epoch, batch_index));
        Ok(())
    }

    fn validation_batch_ended(&mut self, (): ()) -> Result<()> {
        self.host.outcome = None;
        Ok(())
    }

    /// The sanity check has no metrics.
    fn validated(&mut self, (): (), pass: Pass) -> Result<()> {
        if !matches!(pass, Pass::SanityCheck(_)) {
            for (name, value) in &mut self.setup.metrics {
                self.host.metrics.insert(name.clone(), value(self.host.progress.epoch));
            }
        }
        Ok(())
    }
}

impl Training for Started<'_> {
    type Saved = Saved;

    fn build_optimizer(&mut self) -> Result<()> {
        self.host.optimizer = Some(self.setup.first_optimizer(self.host)?);
        Ok(())
    }

    fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.restore_model(saved)
    }

    fn load_states(&mut self, saved: &Saved) -> Result<()> {
        self.restore_states(saved)
    }

    fn sanity_batches(&self) -> usize {
        self.setup.validation_batches.min(SANITY_BATCHES)
    }

    fn is_over(&self) -> bool {
        let Progress { epoch, global_step, .. } = self.host.progress;
        self.host.stop.is_some() || epoch >= self.until.epoch || global_step >= self.until.step
    }

    /// As in a run: values of the epoch before count no more.
    fn epoch_started(&mut self) -> Result<()> {
        self.host.metrics.clear();
        Ok(())
    }

    fn training_data(&mut self) -> Result<Batches<(), Error>> {
        let Progress { epoch, batch_index, num_training_batches, .. } = self.host.progress;
        if self.epochs.last().is_none_or(|record| record.epoch != epoch) {
            let record = self.record()?;
            self.epochs.push(record);
        }
        Ok(Box::new((batch_index..num_training_batches).map(|index| Ok((index, ())))))
    }

    fn accumulate_grad_batches(&self) -> usize {
        self.setup.accumulate
    }

    fn forward(&mut self, (): &mut ()) -> Result<()> {
        self.host.sets.check_out()?;
        let Progress { epoch, batch_index, num_training_batches, .. } = self.host.progress;
        let loss = (self.setup.loss)(epoch * num_training_batches + batch_index);
        self.host.loss = Some(loss);
        self.host.metrics.insert("train_loss".to_owned(), loss);
        let lr = self.host.optimizer.iter().flat_map(Optimizer::groups).map(|group| group.lr).collect();
        if let Some(record) = self.epochs.last_mut() {
            record.steps.push(StepRecord { loss, stepped: false, lr });
        }
        Ok(())
    }

    fn optimizer_step(&mut self) -> Result<()> {
        if let Some(step) = self.epochs.last_mut().and_then(|record| record.steps.last_mut()) {
            step.stepped = true;
        }
        self.host.move_values()
    }

    fn step_schedulers(&mut self) -> Result<()> {
        Ok(())
    }

    fn epoch_schedulers(&mut self) -> Result<()> {
        if let (Some(scheduler), Some(optimizer)) = (&mut self.setup.scheduler, &mut self.host.optimizer) {
            scheduler(self.host.progress.epoch, optimizer.groups_mut());
            optimizer.mark_unchanged();
        }
        Ok(())
    }

    fn take_validation_request(&mut self) -> bool {
        std::mem::take(&mut self.host.validate)
    }

    fn next(&self) -> Next {
        if self.host.stop.is_some() {
            Next::Stop
        } else if self.host.progress.global_step >= self.until.step {
            Next::Leave
        } else {
            Next::GoOn
        }
    }

    fn checkpoint_before_stop(&mut self) -> Result<()> {
        self.checkpoint()?;
        *self.saved_at_stop = Some(self.snapshot()?);
        Ok(())
    }

    fn validates_batch(&self) -> bool {
        let interval = self.setup.val_check_interval;
        let is_due = interval.is_some_and(|batches| self.host.progress.batch_index.is_multiple_of(batches));
        is_due && self.is_validating_epoch()
    }

    fn validates_epoch(&self) -> bool {
        let Progress { batch_index, num_training_batches, .. } = self.host.progress;
        let is_whole = batch_index >= num_training_batches;
        let is_due = match self.setup.val_check_interval {
            // Where an epoch stops inside, what is due there is done already, and else comes now.
            Some(batches) => batch_index.is_multiple_of(batches) == is_whole,
            None => true,
        };
        is_due && self.is_validating_epoch()
    }

    fn epoch_ended(&mut self) -> Result<()> {
        self.record_values()?;
        if let Some(record) = self.epochs.last_mut() {
            record.logged = std::mem::take(&mut self.host.logged);
            record.metrics.clone_from(&self.host.metrics);
        }
        Ok(())
    }

    fn checkpoint_after_epoch(&mut self) -> Result<()> {
        self.host.checkpoints.insert("best".to_owned());
        self.checkpoint()
    }
}

impl Started<'_> {
    fn is_validating_epoch(&self) -> bool {
        (self.host.progress.epoch + 1).is_multiple_of(self.setup.check_val_every_n_epoch)
    }

    fn checkpoint(&mut self) -> Result<()> {
        self.host.checkpoints.insert("last".to_owned());
        drive::hook(self, Hook::SaveCheckpoint)
    }

    /// The record of an epoch whose first hooks have run.
    fn record(&mut self) -> Result<EpochRecord> {
        let states = self.states()?;
        Ok(EpochRecord {
            epoch: self.host.progress.epoch,
            groups: self.host.optimizer.iter().flat_map(Optimizer::groups).cloned().collect(),
            tree: self.host.tree.clone(),
            states,
            steps: Vec::new(),
            logged: Vec::new(),
            metrics: Default::default(),
            values: Vec::new(),
        })
    }

    fn record_values(&mut self) -> Result<()> {
        let sums = self.host.sums()?;
        if let Some(record) = self.epochs.last_mut() {
            record.values.push(sums);
        }
        Ok(())
    }
}
