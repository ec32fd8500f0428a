//! What each step of a run is where nothing is computed: freeze state, groups and rates alone.

use std::convert::Infallible;
use std::fmt::Display;

use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::Progress;
use thaw_plugin_api::drive::{Batches, Call, Instances, Next, Pass, Training, Validating, ValidationData};

use super::Simulation;
use crate::Error;
use crate::error::FitError;
use crate::parts::first_optimizer;
use thaw_plugins::Instance;

/// A run that is only planned.
pub(super) struct PlannedRun<'c> {
    pub simulation: Simulation<'c>,
    pub callbacks: Vec<Instance>,
}

impl Instances for PlannedRun<'_> {
    type Error = Error;

    fn progress(&self) -> &Progress {
        &self.simulation.progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.simulation.progress
    }

    fn count(&self) -> usize {
        self.callbacks.len()
    }

    fn kind(&self, index: usize) -> Kind {
        self.callbacks[index].kind()
    }

    fn call(&mut self, index: usize, call: Call) -> Result<(), Error> {
        let progress = self.simulation.progress;
        Ok(self.callbacks[index].run(call, &progress, &mut self.simulation)?)
    }

    /// As in a run: before the first epoch strategies are still laying out groups, and its start records
    /// them.
    fn called(&mut self) -> Result<(), Error> {
        let simulation = &mut self.simulation;
        if std::mem::take(&mut simulation.changed) && !simulation.states.is_empty() {
            simulation.adopt_groups()?;
            simulation.record(true);
        }
        Ok(())
    }

    /// A plan has no hooks after a failure.
    fn failed(&mut self, _: &dyn Display) {}

    fn tell(&mut self, _: Error) {}
}

impl Validating for PlannedRun<'_> {
    type Batch = ();
    type Loaded = ();
    type Evaluation = ();

    fn load(&mut self, (): ()) -> Result<(), Error> {
        Ok(())
    }

    fn validation_data(&mut self, _: usize) -> Result<ValidationData<Self>, Error> {
        Ok((Box::new(std::iter::empty()), ()))
    }

    fn validated(&mut self, (): (), _: Pass) -> Result<(), Error> {
        Ok(())
    }
}

impl Training for PlannedRun<'_> {
    type Saved = Infallible;

    fn build_optimizer(&mut self) -> Result<(), Error> {
        let run = &mut self.simulation;
        let first = first_optimizer(run.config, &mut run.model, &self.callbacks, &run.progress)?;
        run.scheduler = first.scheduler;
        run.optimizer = Some(first.optimizer);
        Ok(())
    }

    fn restore(&mut self, saved: &Infallible) -> Result<(), Error> {
        match *saved {}
    }

    fn load_states(&mut self, saved: &Infallible) -> Result<(), Error> {
        match *saved {}
    }

    fn is_over(&self) -> bool {
        self.simulation.is_to_stop()
    }

    fn epoch_started(&mut self) -> Result<(), Error> {
        self.simulation.changed = false;
        self.simulation.adopt_groups()?;
        self.simulation.record(false);
        Ok(())
    }

    fn training_data(&mut self) -> Result<Batches<(), Error>, Error> {
        let count = self.simulation.progress.num_training_batches;
        Ok(Box::new((0..count).map(|index| Ok((index, ())))))
    }

    fn accumulate_grad_batches(&self) -> usize {
        let epoch = self.simulation.progress.epoch;
        self.simulation.config.trainer.accumulate_grad_batches.at(epoch)
    }

    fn step_schedulers(&mut self) -> Result<(), Error> {
        let run = &mut self.simulation;
        if let (Some(scheduler), Some(optimizer)) = (&mut run.scheduler, &mut run.optimizer) {
            scheduler.on_step(optimizer.groups_mut(), run.progress.batch_index).map_err(FitError::from)?;
        }
        Ok(())
    }

    fn epoch_schedulers(&mut self) -> Result<(), Error> {
        let run = &mut self.simulation;
        if let (Some(scheduler), Some(optimizer)) = (&mut run.scheduler, &mut run.optimizer) {
            scheduler.on_epoch_end(optimizer.groups_mut(), run.progress.epoch).map_err(FitError::from)?;
        }
        Ok(())
    }

    fn next(&self) -> Next {
        if self.simulation.is_to_stop() { Next::Stop } else { Next::GoOn }
    }

    fn validates_epoch(&self) -> bool {
        false
    }
}
