//! Running a fake run, as far as its author wants.

use super::host::Host;
use super::started::{Started, Until};
use super::{FakeRun, Report};
use crate::drive;
use crate::error::{Error, Result};
use crate::optimizer::Optimizer;

impl FakeRun {
    /// Runs to the end: the epochs that are left, then the last hooks.
    ///
    /// # Errors
    /// What a hook returns, or a change that the host refuses; [`FakeRun::report`] has what happened until
    /// then.
    pub fn fit(&mut self) -> Result<Report> {
        self.run_epochs(usize::MAX)?;
        let mut run = self.started()?;
        match drive::end(&mut run) {
            Ok(()) => drive::teardown(&mut run)?,
            Err(error) => {
                drive::fail(&mut run, &error);
                return Err(error);
            }
        }
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
        let result = self.start().and_then(|()| {
            let mut run = self.started()?;
            run.until = Until::after(epochs, steps, &run.host.progress);
            drive::epochs(&mut run)
        });
        if let (Err(error), Ok(mut run)) = (&result, self.started()) {
            drive::fail(&mut run, error);
        }
        result
    }

    /// Freezes, or restores what was saved, and builds the optimizer; once.
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
        let saved = self.saved.take().map(serde_json::from_value).transpose()?;
        let mut run = self.started()?;
        drive::setup(&mut run, saved.as_ref())?;
        run.host.audit()?;
        drive::start(&mut run)
    }

    pub(super) fn started(&mut self) -> Result<Started<'_>> {
        Ok(Started {
            host: self.host.as_mut().ok_or_else(|| Error::new("the run has not started"))?,
            setup: &mut self.setup,
            instances: &mut self.instances,
            log: &self.log,
            epochs: &mut self.epochs,
            saved_at_stop: &mut self.saved_at_stop,
            until: Until::default(),
        })
    }
}

impl super::run::Setup {
    pub(super) fn first_optimizer(&self, host: &Host) -> Result<Optimizer> {
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
