//! The way to the epoch of a trial, as a plan goes it.

use std::fmt::Display;

use serde_json::Value;
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::{Progress, Stage};
use thaw_plugin_api::drive::{
    self, Batches, Call, Instances, Next, Pass, Training, Validating, ValidationData,
};

use crate::Error;
use crate::audit;
use crate::error::{Trial, TrialError};
use crate::fit::Fit;
use thaw_plugins::Instance;

impl Fit {
    /// Brings freeze state, groups and rates to where an epoch starts, without training: as `host plan` does.
    /// Twins of the strategies say what trains.
    pub(super) fn advance_to(
        &mut self,
        trial: Trial,
        epoch: usize,
        twins: Vec<(Instance, Value)>,
    ) -> Result<(), Error> {
        let stage = std::mem::replace(&mut self.state.position.progress.stage, Stage::Plan);
        let (twins, states): (Vec<Instance>, Vec<Value>) = twins.into_iter().unzip();
        let mut way = Advance { fit: self, twins, trial, epoch };
        drive::setup(&mut way, Some(&states))?;
        drive::start(&mut way)?;
        while way.progress().epoch < epoch {
            drive::epoch(&mut way)?;
        }
        drive::start_epoch(&mut way)?;
        self.state.position.progress.stage = stage;
        self.state.watched.changed = false;
        self.state.watched.audit_gradients = false;
        let groups = self.state.optimizer()?.groups().to_vec();
        self.state.report_findings(audit::groups(self.state.trained.model.tree(), &groups))?;
        Ok(self.state.check_something_trains()?)
    }
}

/// A run that others than its own strategies take to an epoch.
struct Advance<'f> {
    fit: &'f mut Fit,
    twins: Vec<Instance>,
    trial: Trial,
    epoch: usize,
}

impl Instances for Advance<'_> {
    type Error = Error;

    fn progress(&self) -> &Progress {
        &self.fit.state.position.progress
    }

    fn progress_mut(&mut self) -> &mut Progress {
        &mut self.fit.state.position.progress
    }

    fn count(&self) -> usize {
        self.twins.len()
    }

    fn kind(&self, index: usize) -> Kind {
        self.twins[index].kind()
    }

    fn call(&mut self, index: usize, call: Call) -> Result<(), Error> {
        let progress = self.fit.state.progress();
        Ok(self.twins[index].run(call, &progress, &mut self.fit.state)?)
    }

    fn called(&mut self) -> Result<(), Error> {
        Ok(self.fit.adopt_groups()?)
    }

    /// The run itself goes on: its twins have no hooks after a failure.
    fn failed(&mut self, _: &dyn Display) {}

    fn tell(&mut self, _: Error) {}
}

impl Validating for Advance<'_> {
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

impl Training for Advance<'_> {
    /// State of the run's own strategies.
    type Saved = Vec<Value>;

    /// The run is where its strategies have brought it.
    fn restore(&mut self, _: &Vec<Value>) -> Result<(), Error> {
        Ok(())
    }

    fn load_states(&mut self, states: &Vec<Value>) -> Result<(), Error> {
        for (twin, state) in self.twins.iter_mut().zip(states) {
            twin.load_state(state)?;
        }
        Ok(())
    }

    fn epoch_started(&mut self) -> Result<(), Error> {
        self.fit.adopt_groups()?;
        match self.fit.state.requests.stop.take() {
            Some(reason) => {
                let (trial, epoch, at) = (self.trial, self.epoch, self.progress().epoch);
                Err(TrialError::Stops { trial, epoch, at, reason }.into())
            }
            None => Ok(()),
        }
    }

    fn training_data(&mut self) -> Result<Batches<(), Error>, Error> {
        let count = self.progress().num_training_batches;
        Ok(Box::new((0..count).map(|index| Ok((index, ())))))
    }

    fn accumulate_grad_batches(&self) -> usize {
        self.fit.state.window()
    }

    fn step_schedulers(&mut self) -> Result<(), Error> {
        Ok(self.fit.schedule_step()?)
    }

    fn epoch_schedulers(&mut self) -> Result<(), Error> {
        Ok(self.fit.schedule_epoch()?)
    }

    /// A stop counts where the next epoch starts.
    fn next(&self) -> Next {
        Next::GoOn
    }

    fn validates_epoch(&self) -> bool {
        false
    }
}
