//! The loop of a fake run, in the host's order of hooks.

use super::host::Host;
use super::{EpochRecord, FakeRun, Report, StepRecord};
use crate::abi::Kind;
use crate::context::Progress;
use crate::error::{Error, Result};
use crate::hook::Hook;
use crate::optimizer::Optimizer;

impl FakeRun {
    /// Runs to the end: the epochs that are left, then the last hooks.
    ///
    /// # Errors
    /// What a hook returns, or a change that the host refuses; [`FakeRun::report`] has what happened until
    /// then.
    pub fn fit(&mut self) -> Result<Report> {
        self.run_epochs(usize::MAX)?;
        self.finish()?;
        Ok(self.report())
    }

    /// Runs at most this many more epochs, one that is under way included; starts the run where needed.
    ///
    /// # Errors
    /// As [`FakeRun::fit`].
    pub fn run_epochs(&mut self, count: usize) -> Result<()> {
        self.run(count, usize::MAX)
    }

    /// Runs at most this many more optimizer steps; starts the run where needed. With its last step an epoch
    /// ends.
    ///
    /// # Errors
    /// As [`FakeRun::fit`].
    pub fn run_steps(&mut self, count: usize) -> Result<()> {
        self.run(usize::MAX, count)
    }

    fn run(&mut self, epochs: usize, steps: usize) -> Result<()> {
        let outcome = self.start().and_then(|()| self.go_on(epochs, steps));
        outcome.inspect_err(|error| self.fail(error))
    }

    fn go_on(&mut self, epochs: usize, steps: usize) -> Result<()> {
        let Progress { epoch, global_step, .. } = started(&mut self.host)?.progress;
        let (end, last_step) =
            (epoch.saturating_add(epochs).min(self.setup.max_epochs), global_step.saturating_add(steps));
        loop {
            let host = started(&mut self.host)?;
            if host.progress.epoch >= end || host.progress.global_step >= last_step || host.stop.is_some() {
                return Ok(());
            }
            self.epoch(last_step)?;
        }
    }

    /// Freezes, or restores what was saved, and builds the optimizer.
    fn start(&mut self) -> Result<()> {
        if self.host.is_some() {
            return Ok(());
        }
        let mut host = Host::new(self.model.clone()?);
        host.audited = self.setup.audited;
        host.tensors = self.setup.tensors.take();
        host.progress.max_epochs = self.setup.max_epochs;
        host.progress.num_training_batches = self.setup.batches;
        host.progress.num_validation_batches = self.setup.validation_batches;
        self.host = Some(host);
        self.hook(Hook::Setup)?;
        let is_fresh = self.saved.is_none();
        match self.saved.take() {
            Some(saved) => self.restore(&saved)?,
            None => {
                let host = started(&mut self.host)?;
                host.event("freeze_before_training");
                for instance in self.instances.iter_mut().filter(|instance| instance.kind == Kind::Strategy) {
                    instance.freeze_before_training(host, &self.log)?;
                }
                host.optimizer = Some(self.setup.first_optimizer(host)?);
            }
        }
        started(&mut self.host)?.audit()?;
        self.hook(Hook::FitStart)?;
        if is_fresh && self.setup.validation_batches > 0 {
            self.hook(Hook::SanityCheckStart)?;
            self.validation()?;
            self.hook(Hook::SanityCheckEnd)?;
        }
        self.hook(Hook::TrainStart)
    }

    /// An epoch from where it stands, up to a step.
    fn epoch(&mut self, last_step: usize) -> Result<()> {
        let Progress { epoch, batch_index, .. } = started(&mut self.host)?.progress;
        if batch_index == 0 {
            self.start_epoch()?;
        }
        if self.epochs.last().is_none_or(|record| record.epoch != epoch) {
            let record = self.record()?;
            self.epochs.push(record);
        }
        self.train_batches(last_step)?;
        let host = started(&mut self.host)?;
        match host.progress.batch_index < self.setup.batches {
            true if host.stop.is_some() => self.stop_inside_epoch(),
            true => Ok(()),
            false => self.end_epoch(),
        }
    }

    fn start_epoch(&mut self) -> Result<()> {
        let host = started(&mut self.host)?;
        host.event("finetune");
        for instance in self.instances.iter_mut().filter(|instance| instance.kind == Kind::Strategy) {
            instance.finetune(host, &self.log)?;
        }
        self.hook(Hook::TrainEpochStart)?;
        // As in a run: values of the epoch before count no more.
        started(&mut self.host)?.metrics.clear();
        Ok(())
    }

    fn end_epoch(&mut self) -> Result<()> {
        self.close_epoch()?;
        let host = started(&mut self.host)?;
        host.progress.epoch += 1;
        host.progress.batch_index = 0;
        host.checkpoints.insert("best".to_owned());
        self.checkpoint()
    }

    /// What is saved then is the state before the epoch's last hooks: a resumed run goes on with the next
    /// batch.
    fn stop_inside_epoch(&mut self) -> Result<()> {
        self.checkpoint()?;
        self.saved_at_stop = Some(self.snapshot()?);
        self.close_epoch()
    }

    fn checkpoint(&mut self) -> Result<()> {
        started(&mut self.host)?.checkpoints.insert("last".to_owned());
        self.hook(Hook::SaveCheckpoint)
    }

    fn close_epoch(&mut self) -> Result<()> {
        let epoch = started(&mut self.host)?.progress.epoch;
        if self.setup.validation_batches > 0 && (epoch + 1).is_multiple_of(self.setup.check_val_every_n_epoch)
        {
            self.validate()?;
        }
        self.hook(Hook::TrainEpochEnd)?;
        self.complete_record()
    }

    fn train_batches(&mut self, last_step: usize) -> Result<()> {
        let (count, accumulate) = (self.setup.batches, self.setup.accumulate);
        for batch in started(&mut self.host)?.progress.batch_index..count {
            let is_first = batch % accumulate == 0;
            let is_last = (batch + 1) % accumulate == 0 || batch + 1 == count;
            let so_far = started(&mut self.host)?.progress.epoch * count + batch;
            self.hook(Hook::TrainBatchStart)?;
            let host = started(&mut self.host)?;
            let loss = (self.setup.loss)(so_far);
            host.loss = Some(loss);
            let lr = host.optimizer.iter().flat_map(Optimizer::groups).map(|group| group.lr).collect();
            if let Some(record) = self.epochs.last_mut() {
                record.steps.push(StepRecord { loss, stepped: is_last, lr });
            }
            if is_first {
                self.hook(Hook::BeforeZeroGrad)?;
            }
            self.hook(Hook::BeforeBackward)?;
            self.hook(Hook::AfterBackward)?;
            if is_last {
                self.hook(Hook::BeforeOptimizerStep)?;
                let host = started(&mut self.host)?;
                host.progress.global_step += 1;
                host.move_values()?;
                self.hook(Hook::AfterOptimizerStep)?;
            }
            if batch + 1 == count {
                self.schedule()?;
            }
            started(&mut self.host)?.metrics.insert("train_loss".to_owned(), loss);
            self.hook(Hook::TrainBatchEnd)?;
            let host = started(&mut self.host)?;
            host.progress.batch_index += 1;
            if std::mem::take(&mut host.validate) {
                self.validate()?;
            }
            // A window of batches is finished first.
            let host = started(&mut self.host)?;
            if is_last && (host.stop.is_some() || host.progress.global_step >= last_step) {
                break;
            }
        }
        Ok(())
    }

    fn schedule(&mut self) -> Result<()> {
        let host = started(&mut self.host)?;
        if let (Some(scheduler), Some(optimizer)) = (&mut self.setup.scheduler, &mut host.optimizer) {
            scheduler(host.progress.epoch, optimizer.groups_mut());
            optimizer.mark_unchanged();
        }
        Ok(())
    }

    /// A validation with its metrics; that before training has none.
    fn validate(&mut self) -> Result<()> {
        let host = started(&mut self.host)?;
        for (name, value) in &mut self.setup.metrics {
            host.metrics.insert(name.clone(), value(host.progress.epoch));
        }
        self.validation()
    }

    fn validation(&mut self) -> Result<()> {
        self.hook(Hook::ValidationStart)?;
        self.hook(Hook::ValidationEpochStart)?;
        self.record_values()?;
        for _ in 0..self.setup.validation_batches {
            self.hook(Hook::ValidationBatchStart)?;
            self.hook(Hook::ValidationBatchEnd)?;
        }
        self.hook(Hook::ValidationEpochEnd)?;
        self.hook(Hook::ValidationEnd)
    }

    fn finish(&mut self) -> Result<()> {
        for hook in [Hook::TrainEnd, Hook::FitEnd, Hook::Teardown] {
            self.hook(hook)?;
        }
        Ok(())
    }

    /// The hooks of a run that failed. Their own errors would hide the first one.
    fn fail(&mut self, error: &Error) {
        if let Some(host) = &mut self.host {
            host.exception = Some(error.to_string());
            let _ = self.hook(Hook::Exception);
            let _ = self.hook(Hook::Teardown);
        }
    }

    pub(super) fn hook(&mut self, hook: Hook) -> Result<()> {
        let host = started(&mut self.host)?;
        host.event(hook.name());
        self.instances.iter_mut().try_for_each(|instance| instance.hook(hook, host, &self.log))
    }

    fn record(&mut self) -> Result<EpochRecord> {
        let states = self.states()?;
        let host = started(&mut self.host)?;
        Ok(EpochRecord {
            epoch: host.progress.epoch,
            groups: host.optimizer.iter().flat_map(Optimizer::groups).cloned().collect(),
            tree: host.tree.clone(),
            states,
            steps: Vec::new(),
            logged: Vec::new(),
            metrics: Default::default(),
            values: Vec::new(),
        })
    }

    fn record_values(&mut self) -> Result<()> {
        let sums = started(&mut self.host)?.sums()?;
        if let Some(record) = self.epochs.last_mut() {
            record.values.push(sums);
        }
        Ok(())
    }

    fn complete_record(&mut self) -> Result<()> {
        self.record_values()?;
        let host = started(&mut self.host)?;
        if let Some(record) = self.epochs.last_mut() {
            record.logged = std::mem::take(&mut host.logged);
            record.metrics.clone_from(&host.metrics);
        }
        Ok(())
    }
}

pub(super) fn started(host: &mut Option<Host>) -> Result<&mut Host> {
    host.as_mut().ok_or_else(|| Error::new("the run has not started"))
}

impl super::run::Setup {
    fn first_optimizer(&self, host: &Host) -> Result<Optimizer> {
        let parameters = match &self.parameters {
            Some(patterns) => host.tree.select(patterns)?.parameters,
            None => host.tree.trainable().into_iter().map(str::to_owned).collect(),
        };
        let mut optimizer = Optimizer::new(&self.optimizer, self.lr, self.weight_decay, Vec::new());
        let name = match self.parameters.as_deref() {
            Some([one]) if host.tree.contains(one) && !one.is_empty() => one,
            _ => "default",
        };
        let group = crate::optimizer::ParamGroup { parameters, ..optimizer.new_group(name, self.lr) };
        if !group.parameters.is_empty() {
            optimizer.add_param_group(group)?;
        }
        optimizer.mark_unchanged();
        Ok(optimizer)
    }
}
