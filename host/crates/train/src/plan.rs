//! What a run will train at which rate, from its strategies and its scheduler alone: no data is read, nothing
//! trains.
//!
//! The loop's order is kept: setup, freezing, optimizer, then per epoch fine-tuning, its steps' schedules and
//! its end. Metrics do not exist here: a strategy that waits for one stays where it is, and says so.

mod json;
mod phase;
mod schedule;
mod services;
mod text;

pub use schedule::starting_schedule;
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::{Progress, Stage};
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::Error;
use crate::config::RunConfig;
use crate::fit::{
    FitError, audit, create_callbacks, create_model, initial_groups, optimizer_config, run_length,
    without_the_rest,
};
use crate::model::HostModel;
use thaw_optim::optimizer::Optimizer;
use thaw_optim::scheduler::{Interval, Restart, Scheduler};
use thaw_plugins::{Instance, PluginSet};

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
    /// Steps that each epoch was taken to have.
    pub steps_per_epoch: usize,
    /// Whether rates depend on that number.
    pub rates_follow_steps: bool,
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

/// Plans a run of `steps_per_epoch` optimizer steps per epoch.
///
/// # Errors
/// Anything of the run config that cannot be had, or a strategy that fails.
pub fn plan(config: &RunConfig, plugins: &PluginSet, steps_per_epoch: usize) -> Result<Plan, Error> {
    let progress = Progress {
        stage: Stage::Plan,
        max_epochs: config.trainer.max_epochs,
        max_steps: config.trainer.max_steps,
        num_training_batches: steps_per_epoch.saturating_mul(config.trainer.accumulate_grad_batches),
        ..Progress::default()
    };
    let mut callbacks = create_callbacks(config, plugins)?;
    let model = create_model(config, plugins)?;
    let mut run = Simulation {
        config,
        model,
        optimizer: None,
        scheduler: None,
        progress,
        states: Vec::with_capacity(config.trainer.max_epochs),
        restart: None,
        changed: false,
        notes: Vec::new(),
        stop: None,
    };
    run.setup(&mut callbacks)?;
    run.hooks(&mut callbacks, Hook::FitStart)?;
    run.hooks(&mut callbacks, Hook::TrainStart)?;
    for epoch in 0..config.trainer.max_epochs {
        run.progress.epoch = epoch;
        run.progress.batch_index = 0;
        run.start_epoch(&mut callbacks)?;
        run.steps(&mut callbacks)?;
        if run.is_to_stop() {
            break;
        }
        run.hooks(&mut callbacks, Hook::TrainEpochEnd)?;
        if run.is_to_stop() {
            break;
        }
    }
    let rates_follow_steps =
        run.scheduler.is_some_and(|scheduler| scheduler.config().interval == Interval::Step);
    Ok(Plan { states: run.states, steps_per_epoch, rates_follow_steps, stopped: run.stop })
}

impl Simulation<'_> {
    fn setup(&mut self, callbacks: &mut [Instance]) -> Result<(), Error> {
        let progress = self.progress;
        for callback in callbacks.iter_mut() {
            callback.hook(Hook::Setup, &progress, self)?;
            if callback.kind() == Kind::Strategy {
                callback.freeze_before_training(self)?;
            }
        }
        let optimizer = optimizer_config(self.config, &self.model)?;
        let audit = self.config.trainer.audit;
        if let Some((tree, _)) = without_the_rest(self.model.tree(), &optimizer, callbacks, audit)? {
            self.model.apply_tree(tree)?;
        }
        let groups = initial_groups(self.model.tree(), &optimizer)?;
        let mut optimizer = Optimizer::new(optimizer, groups).map_err(FitError::from)?;
        if let Some(config) = &self.config.scheduler {
            let length = run_length(self.config, &progress);
            let mut scheduler =
                Scheduler::new(config.clone(), length, optimizer.config()).map_err(FitError::from)?;
            scheduler.start(optimizer.groups_mut()).map_err(FitError::from)?;
            self.scheduler = Some(scheduler);
        }
        self.optimizer = Some(optimizer);
        Ok(())
    }

    fn hooks(&mut self, callbacks: &mut [Instance], hook: Hook) -> Result<(), Error> {
        let progress = self.progress;
        for callback in callbacks {
            callback.hook(hook, &progress, self)?;
        }
        // As the loop: before the first epoch strategies are still laying out groups, and its start records
        // anyway.
        if std::mem::take(&mut self.changed) && !self.states.is_empty() {
            self.adopt_groups()?;
            self.record(true);
        }
        Ok(())
    }

    fn start_epoch(&mut self, callbacks: &mut [Instance]) -> Result<(), Error> {
        let progress = self.progress;
        for callback in callbacks {
            if callback.kind() == Kind::Strategy {
                callback.finetune(&progress, self)?;
            }
            callback.hook(Hook::TrainEpochStart, &progress, self)?;
        }
        self.changed = false;
        self.adopt_groups()?;
        self.record(false);
        Ok(())
    }

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
            optimizer,
            groups,
            notes,
            findings,
        });
    }

    fn steps(&mut self, callbacks: &mut [Instance]) -> Result<(), Error> {
        let window = self.config.trainer.accumulate_grad_batches;
        for batch in 0..self.progress.num_training_batches {
            self.progress.batch_index = batch;
            self.hooks(callbacks, Hook::TrainBatchStart)?;
            let stepped = (batch + 1).is_multiple_of(window);
            self.progress.global_step += usize::from(stepped);
            if let (Some(scheduler), Some(optimizer)) = (&mut self.scheduler, &mut self.optimizer) {
                if stepped {
                    scheduler.on_step(optimizer.groups_mut(), batch).map_err(FitError::from)?;
                }
                if batch + 1 == self.progress.num_training_batches {
                    scheduler
                        .on_epoch_end(optimizer.groups_mut(), self.progress.epoch)
                        .map_err(FitError::from)?;
                }
            }
            self.hooks(callbacks, Hook::TrainBatchEnd)?;
            if stepped && self.is_to_stop() {
                break;
            }
        }
        Ok(())
    }

    fn is_to_stop(&self) -> bool {
        self.stop.is_some() || self.progress.max_steps.is_some_and(|steps| self.progress.global_step >= steps)
    }
}
