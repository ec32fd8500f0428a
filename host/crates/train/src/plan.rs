//! What a run will train at which rate, from its strategies and its scheduler alone: no data is read, nothing
//! trains.
//!
//! The order is that of every run ([`thaw_plugin_api::drive`]), without the hooks of what is computed.
//! Metrics do not exist here: a strategy that waits for one stays where it is, and says so.

mod amounts;
mod json;
mod phase;
mod planned_run;
mod schedule;
mod services;
mod text;

pub use amounts::{batch_norms, count};
use planned_run::PlannedRun;
pub use schedule::starting_schedule;
use thaw_plugin_api::context::{Progress, Stage};
use thaw_plugin_api::drive;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::Error;
use crate::audit;
use crate::config::RunConfig;
use crate::error::FitError;
use crate::model::HostModel;
use crate::parts::{create_callbacks, create_model, run_length};
use thaw_optim::optimizer::Optimizer;
use thaw_optim::scheduler::{Interval, Restart, Scheduler};
use thaw_plugins::PluginSet;

/// What trains at which rate from some point of the run on, as a record of `groups.jsonl` has it.
#[derive(Clone, Debug)]
pub struct PlannedState {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Optimizer steps before it.
    pub step: usize,
    /// Whether it begins between two batches of the epoch.
    pub inside_epoch: bool,
    /// Freeze state and modes.
    pub tree: ModuleTree,
    /// Batches whose gradients are added before a step.
    pub accumulate_grad_batches: usize,
    /// Id of the optimizer.
    pub optimizer: &'static str,
    /// Groups and rates.
    pub groups: Vec<ParamGroup>,
    /// What strategies say cannot be known before the run.
    pub notes: Vec<String>,
    /// What the audit of a real run would find.
    pub findings: Vec<String>,
}

/// A run without its data.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The state at the start of every epoch, and after each change inside one.
    pub states: Vec<PlannedState>,
    /// Steps that each epoch was taken to have; the first one, where the accumulation of the others is
    /// another.
    pub steps_per_epoch: usize,
    /// Whether rates depend on that number.
    pub rates_follow_steps: bool,
    /// Whether an epoch has another number of steps than the one before it.
    pub steps_change: bool,
    /// Why the run ends before its last epoch, if a strategy stops it.
    pub stopped: Option<String>,
}

/// What the hooks of a planned run act on.
struct Simulation<'c> {
    config: &'c RunConfig,
    model: HostModel,
    optimizer: Option<Optimizer>,
    scheduler: Option<Scheduler>,
    progress: Progress,
    states: Vec<PlannedState>,
    restart: Option<Restart>,
    changed: bool,
    notes: Vec<String>,
    stop: Option<String>,
}

/// Plans a run of `steps_per_epoch` optimizer steps per epoch, in the first one where accumulation changes.
///
/// # Errors
/// Anything of the run config that cannot be had, or a strategy that fails.
pub fn plan(config: &RunConfig, plugins: &PluginSet, steps_per_epoch: usize) -> Result<Plan, Error> {
    let progress = Progress {
        stage: Stage::Plan,
        max_epochs: config.trainer.max_epochs,
        max_steps: config.trainer.max_steps,
        num_training_batches: steps_per_epoch.saturating_mul(config.trainer.accumulate_grad_batches.at(0)),
        ..Progress::default()
    };
    let callbacks = create_callbacks(config, plugins)?;
    let simulation = Simulation {
        config,
        model: create_model(config, plugins)?,
        optimizer: None,
        scheduler: None,
        progress,
        states: Vec::with_capacity(config.trainer.max_epochs),
        restart: None,
        changed: false,
        notes: Vec::new(),
        stop: None,
    };
    let mut planned = PlannedRun { simulation, callbacks };
    drive::setup(&mut planned, None)?;
    drive::start(&mut planned)?;
    drive::epochs(&mut planned)?;
    let run = planned.simulation;
    let stopped = run.stop.clone().filter(|_| run.is_stopped());
    let rates_follow_steps =
        run.scheduler.is_some_and(|scheduler| scheduler.config().interval == Interval::Step);
    let steps_change = config.trainer.accumulate_grad_batches.changes();
    Ok(Plan { states: run.states, steps_per_epoch, rates_follow_steps, steps_change, stopped })
}

impl Simulation<'_> {
    fn adopt_groups(&mut self) -> Result<(), FitError> {
        let Some(optimizer) = &mut self.optimizer else { return Ok(()) };
        if let Some(restart) = self.restart.take() {
            let length = run_length(self.config, &self.progress);
            self.scheduler =
                restart.start(self.config.scheduler.as_ref(), length, &self.progress, optimizer)?;
        }
        if let Some(scheduler) = &mut self.scheduler {
            scheduler.adopt(optimizer.groups_mut())?;
        }
        Ok(())
    }

    fn record(&mut self, inside_epoch: bool) {
        let groups = self.optimizer.as_ref().map(|optimizer| optimizer.groups().to_vec()).unwrap_or_default();
        let optimizer = self.optimizer.as_ref().map_or("", |optimizer| optimizer.config().algorithm.id());
        let tree = self.model.tree().clone();
        let findings = audit::groups(&tree, &groups);
        let Progress { epoch, global_step: step, .. } = self.progress;
        let notes = std::mem::take(&mut self.notes);
        self.states.push(PlannedState {
            epoch,
            step,
            inside_epoch,
            tree,
            accumulate_grad_batches: self.config.trainer.accumulate_grad_batches.at(epoch),
            optimizer,
            groups,
            notes,
            findings,
        });
    }

    /// Whether a strategy has asked for a stop that is due.
    fn is_stopped(&self) -> bool {
        let Progress { epoch, global_step, .. } = self.progress;
        self.stop.is_some() && self.config.trainer.may_stop(epoch, global_step)
    }

    fn is_to_stop(&self) -> bool {
        self.is_stopped() || self.progress.max_steps.is_some_and(|steps| self.progress.global_step >= steps)
    }
}
