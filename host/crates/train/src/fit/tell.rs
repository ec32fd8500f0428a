//! What the loop tells observers of the run as a whole.

use super::events::{Ending, EventKind, GroupsChanged, Rates, RunStarted, StepDone};
use super::late::Late;
use super::readings::Arriving;
use super::step::BatchResult;
use super::{Fit, Outcome};
use crate::Error;
use thaw_data::Split;
use thaw_optim::optimizer::Optimizer;

impl Fit {
    /// Tells what borrows nothing of the run.
    pub(super) fn tell(&mut self, kind: EventKind<'_>) -> Result<(), Error> {
        Ok(self.observers.tell(&self.state.position.progress, kind)?)
    }

    /// The run begins, or goes on.
    pub(super) fn tell_start(&mut self) -> Result<(), Error> {
        let state = &self.state;
        let data = state.data.summary().to_string();
        let plugins: Vec<&str> =
            self.plugins.plugins().map(|plugin| plugin.metadata().name.as_str()).collect();
        let run = RunStarted {
            run_dir: state.kept.run_dir.path(),
            shown_run_dir: state.kept.run_dir.shown(),
            config: &state.config,
            model: state.trained.model.id(),
            tree: state.trained.model.tree(),
            device: state.trained.model.device(),
            data: &data,
            train_samples: state.data.samples(Split::Train),
            val_samples: state.data.samples(Split::Val),
            class_names: state.data.class_names(),
            plugins: &plugins,
            processes: state.world.size(),
            batch_size: state.data.batch_size(Split::Train),
        };
        Ok(self.observers.tell(&state.position.progress, EventKind::RunStarted(run))?)
    }

    /// A batch is done. Its loss is not waited for, and what has arrived of earlier ones is looked at.
    pub(super) fn tell_step(&mut self, samples: usize, result: &BatchResult) -> Result<(), Error> {
        let state = &mut self.state;
        let arrived = state.measured.readings.arrived()?;
        state.take(&arrived);
        state.check_finite()?;
        let measured = &mut state.measured;
        let late = Late::new(Arriving {
            readings: &mut measured.readings,
            meter: &mut measured.meter,
            loss: &mut measured.loss,
            not_finite: &mut measured.not_finite,
        });
        let groups = state.trained.optimizer.as_ref().map(Optimizer::groups).unwrap_or_default();
        let step = StepDone {
            samples,
            samples_of_run: state.position.samples,
            stepped: result.stepped,
            rates: Rates { groups, used: &measured.used_rates },
            grad_norm: result.grad_norm.as_ref(),
            late: &late,
        };
        self.observers.tell(&state.position.progress, EventKind::StepDone(step))?;
        late.finish()?;
        // An observer that asked may have found a loss that is not finite.
        Ok(state.check_finite()?)
    }

    /// What trains at which rate.
    pub(super) fn report_groups(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        let Some(optimizer) = &state.trained.optimizer else { return Ok(()) };
        let groups = GroupsChanged {
            optimizer: optimizer.config().algorithm.id(),
            groups: optimizer.groups(),
            tree: state.trained.model.tree(),
            model: &state.trained.model,
        };
        self.observers.tell(&state.position.progress, EventKind::GroupsChanged(groups))?;
        state.watched.changed = false;
        Ok(())
    }

    /// Lets observers write what waits; a run that fails already ends with its own error.
    pub(super) fn flush_observers(&mut self) {
        if let Err(error) = self.observers.flush(&self.state.position.progress) {
            tracing::error!("{error}");
        }
    }

    /// The run is over.
    pub(super) fn tell_end(&mut self, result: &Result<Outcome, Error>) -> Result<(), Error> {
        let text;
        let ending = match result {
            Ok(Outcome { stopped: None, .. }) => Ending::Finished,
            Ok(Outcome { stopped: Some(reason), .. }) => Ending::Stopped { reason },
            Err(Error::Interrupted) => Ending::Interrupted,
            Err(error) => {
                text = error.to_string();
                Ending::Failed { error: &text }
            }
        };
        Ok(self.observers.tell(&self.state.position.progress, EventKind::RunEnded(ending))?)
    }
}
