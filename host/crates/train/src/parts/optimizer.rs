//! Optimizer and scheduler, as the run config or the model chooses them.

use thaw_plugin_api::config::{Config as _, Key};
use thaw_plugin_api::context::Progress;

use super::{initial_groups, without_the_rest};
use crate::Error;
use crate::config::RunConfig;
use crate::error::FitError;
use crate::model::HostModel;
use thaw_optim::optimizer::{Optimizer, OptimizerConfig};
use thaw_optim::scheduler::{RunLength, Scheduler};
use thaw_plugins::Instance;

/// What steps from a run's start on.
pub(crate) struct FirstOptimizer {
    /// Over the groups that the run config or the model says.
    pub optimizer: Optimizer,
    /// The run config's, on these groups.
    pub scheduler: Option<Scheduler>,
    /// Parameters that were frozen since `[optimizer] parameters` leaves them out.
    pub frozen: usize,
}

/// Optimizer and scheduler as a run starts with them. Freezes what [`without_the_rest`] says.
///
/// # Errors
/// Parameters that the model does not have, or settings that do not fit.
pub(crate) fn first_optimizer(
    config: &RunConfig,
    model: &mut HostModel,
    callbacks: &[Instance],
    progress: &Progress,
) -> Result<FirstOptimizer, Error> {
    let settings = optimizer_config(config, model)?;
    let mut frozen = 0;
    if let Some((tree, rest)) = without_the_rest(model.tree(), &settings, callbacks, config.trainer.audit)? {
        model.apply_tree(tree)?;
        frozen = rest;
    }
    let groups = initial_groups(model.tree(), &settings)?;
    let mut optimizer = Optimizer::new(settings, groups).map_err(FitError::from)?;
    let mut scheduler = None;
    if let Some(table) = &config.scheduler {
        let length = run_length(config, progress);
        let mut first = Scheduler::new(table.clone(), length, optimizer.config()).map_err(FitError::from)?;
        first.start(optimizer.groups_mut()).map_err(FitError::from)?;
        scheduler = Some(first);
    }
    Ok(FirstOptimizer { optimizer, scheduler, frozen })
}

/// The run config's optimizer, or the model's own choice, or AdamW.
///
/// # Errors
/// The model's choice is none.
pub fn optimizer_config(config: &RunConfig, model: &HostModel) -> Result<OptimizerConfig, Error> {
    if let Some(optimizer) = &config.optimizer {
        return Ok(optimizer.clone());
    }
    let chosen = match &model.description().optimizer {
        Some(choice) => OptimizerConfig::from_value(choice, &Key::root()).map_err(|error| {
            FitError::Config(format!("the optimizer that model `{}` chooses: {error}", model.id()))
        }),
        None => OptimizerConfig::default_for("adamw")
            .ok_or_else(|| FitError::Config("[optimizer] is missing".to_owned())),
    };
    Ok(chosen?)
}

/// The run's length for schedulers.
pub fn run_length(config: &RunConfig, progress: &Progress) -> RunLength {
    let (batches, windows) = (progress.num_training_batches, &config.trainer.accumulate_grad_batches);
    let later = windows.later().iter().map(|(epoch, window)| (*epoch, batches.div_ceil(*window)));
    let (max_epochs, max_steps) = (config.trainer.max_epochs, config.trainer.max_steps);
    let steps_per_epoch = batches.div_ceil(windows.at(0));
    RunLength { max_epochs, steps_per_epoch, later: later.collect(), max_steps, extra_steps: 0 }
}
