//! What a run will train at which rate, from its strategies and its scheduler alone: no data is read, nothing trains.
//!
//! The loop's order is kept: setup, freezing, optimizer, then per epoch fine-tuning, its steps' schedules and its end.
//! Metrics do not exist here: a strategy that waits for one stays where it is.

mod services;
mod text;

use serde_json::{Value, json};
use thaw_plugin_api::abi::Kind;
use thaw_plugin_api::context::Progress;
use thaw_plugin_api::hook::Hook;
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::Error;
use crate::config::RunConfig;
use crate::fit::{FitError, audit, create_callbacks, initial_groups, optimizer_config, run_length};
use crate::model::HostModel;
use crate::optimizer::Optimizer;
use crate::plugins::{Instance, PluginSet};
use crate::scheduler::{Interval, Scheduler};

/// The state that an epoch starts with, as `groups.jsonl` has it.
#[derive(Clone, Debug)]
pub struct PlannedEpoch {
    /// The epoch, from 0.
    pub epoch: usize,
    /// Freeze state and modes.
    pub tree: ModuleTree,
    /// Groups and rates.
    pub groups: Vec<ParamGroup>,
    /// What the audit of a real run would find.
    pub findings: Vec<String>,
}

/// A run without its data.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Every epoch.
    pub epochs: Vec<PlannedEpoch>,
    /// Steps that each epoch was taken to have.
    pub steps_per_epoch: usize,
    /// Whether rates depend on that number.
    pub rates_follow_steps: bool,
}

/// What the hooks of a planned run act on.
struct Simulation {
    model: HostModel,
    optimizer: Option<Optimizer>,
    progress: Progress,
}

/// Plans a run of `steps_per_epoch` optimizer steps per epoch.
///
/// # Errors
/// Anything of the run config that cannot be had, or a strategy that fails.
pub fn plan(config: &RunConfig, plugins: &PluginSet, steps_per_epoch: usize) -> Result<Plan, Error> {
    let batches = steps_per_epoch * config.trainer.accumulate_grad_batches;
    let progress = Progress {
        max_epochs: config.trainer.max_epochs,
        max_steps: config.trainer.max_steps,
        num_training_batches: batches,
        ..Progress::default()
    };
    let mut callbacks = create_callbacks(config, plugins)?;
    let model = HostModel::create(plugins, &config.model.id, &config.model.config)?;
    let mut run = Simulation { model, optimizer: None, progress };
    for callback in &mut callbacks {
        callback.hook(Hook::Setup, &progress, &mut run)?;
        if callback.kind() == Kind::Strategy {
            callback.freeze_before_training(&mut run)?;
        }
    }
    let optimizer = optimizer_config(config, &run.model)?;
    let groups = initial_groups(run.model.tree(), &optimizer)?;
    let mut optimizer = Optimizer::new(optimizer, groups).map_err(FitError::from)?;
    let mut scheduler = None;
    if let Some(config_of_scheduler) = &config.scheduler {
        let length = run_length(config, &progress);
        let mut new = Scheduler::new(config_of_scheduler.clone(), length, optimizer.config()).map_err(FitError::from)?;
        new.start(optimizer.groups_mut()).map_err(FitError::from)?;
        scheduler = Some(new);
    }
    run.optimizer = Some(optimizer);
    run.hooks(&mut callbacks, Hook::FitStart)?;
    run.hooks(&mut callbacks, Hook::TrainStart)?;
    let mut epochs = Vec::with_capacity(config.trainer.max_epochs);
    for epoch in 0..config.trainer.max_epochs {
        run.progress.epoch = epoch;
        run.progress.batch_index = 0;
        epochs.push(run.start_epoch(&mut callbacks, scheduler.as_mut())?);
        run.steps(&mut callbacks, scheduler.as_mut(), config.trainer.accumulate_grad_batches)?;
        run.hooks(&mut callbacks, Hook::TrainEpochEnd)?;
        if config.trainer.max_steps.is_some_and(|steps| run.progress.global_step >= steps) {
            break;
        }
    }
    let rates_follow_steps = scheduler.is_some_and(|scheduler| scheduler.config().interval == Interval::Step);
    Ok(Plan { epochs, steps_per_epoch, rates_follow_steps })
}

impl Simulation {
    fn hooks(&mut self, callbacks: &mut [Instance], hook: Hook) -> Result<(), Error> {
        let progress = self.progress;
        for callback in callbacks {
            callback.hook(hook, &progress, self)?;
        }
        Ok(())
    }

    fn start_epoch(&mut self, callbacks: &mut [Instance], scheduler: Option<&mut Scheduler>) -> Result<PlannedEpoch, Error> {
        let progress = self.progress;
        for callback in callbacks {
            if callback.kind() == Kind::Strategy {
                callback.finetune(&progress, self)?;
            }
            callback.hook(Hook::TrainEpochStart, &progress, self)?;
        }
        if let (Some(scheduler), Some(optimizer)) = (scheduler, &mut self.optimizer) {
            scheduler.adopt(optimizer.groups_mut()).map_err(FitError::from)?;
        }
        let groups = self.optimizer.as_ref().map(|optimizer| optimizer.groups().to_vec()).unwrap_or_default();
        let tree = self.model.tree().clone();
        let findings = audit::groups(&tree, &groups);
        Ok(PlannedEpoch { epoch: progress.epoch, tree, groups, findings })
    }

    fn steps(&mut self, callbacks: &mut [Instance], mut scheduler: Option<&mut Scheduler>, window: usize) -> Result<(), Error> {
        for batch in 0..self.progress.num_training_batches {
            self.progress.batch_index = batch;
            self.hooks(callbacks, Hook::TrainBatchStart)?;
            if (batch + 1).is_multiple_of(window) {
                self.progress.global_step += 1;
                if let (Some(scheduler), Some(optimizer)) = (scheduler.as_deref_mut(), &mut self.optimizer) {
                    scheduler.on_step(optimizer.groups_mut(), batch).map_err(FitError::from)?;
                }
            }
            if let (Some(scheduler), Some(optimizer), true) =
                (scheduler.as_deref_mut(), &mut self.optimizer, batch + 1 == self.progress.num_training_batches)
            {
                scheduler.on_epoch_end(optimizer.groups_mut(), self.progress.epoch).map_err(FitError::from)?;
            }
            self.hooks(callbacks, Hook::TrainBatchEnd)?;
        }
        Ok(())
    }
}

impl Plan {
    /// The epochs in runs of constant state: what trains, in which groups, in which modes. Rates may differ inside.
    pub fn phases(&self) -> Vec<&[PlannedEpoch]> {
        self.epochs.chunk_by(|a, b| a.tree == b.tree && same_groups(&a.groups, &b.groups)).collect()
    }

    /// Every epoch, as `groups.jsonl` would have it, and the phases by their epochs.
    pub fn to_json(&self) -> Value {
        let epochs = self.epochs.iter().map(|epoch| {
            json!({
                "epoch": epoch.epoch, "groups": epoch.groups, "trainable": epoch.tree.trainable(),
                "batch_norm": epoch.tree.modules().iter().filter(|module| module.is_batch_norm()).map(|module| {
                    (module.path.clone(), json!({ "training": module.training, "track_running_stats": module.track_running_stats }))
                }).collect::<serde_json::Map<_, _>>(),
                "findings": epoch.findings,
            })
        });
        let phases = self.phases().into_iter().map(|phase| phase.iter().map(|epoch| epoch.epoch).collect::<Vec<_>>());
        json!({
            "steps_per_epoch": self.steps_per_epoch, "phases": phases.collect::<Vec<_>>(), "epochs": epochs.collect::<Vec<_>>(),
        })
    }
}

fn same_groups(a: &[ParamGroup], b: &[ParamGroup]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.parameters == b.parameters)
}
