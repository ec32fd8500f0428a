//! Optimizer and scheduler, as the run config or the model chooses them.

use thaw_plugin_api::config::{Config as _, Key};
use thaw_plugin_api::context::Progress;

use crate::Error;
use crate::config::RunConfig;
use crate::fit::{Fit, FitError, initial_groups, without_the_rest};
use crate::model::HostModel;
use thaw_optim::optimizer::{Optimizer, OptimizerConfig};
use thaw_optim::scheduler::{RunLength, Scheduler};

impl Fit {
    /// Optimizer and scheduler, over the groups that the run config or the model says.
    pub(in crate::fit) fn choose_optimizer(&mut self) -> Result<(), Error> {
        let state = &mut self.state;
        let config = optimizer_config(&state.config, &state.trained.model)?;
        let audit = state.config.trainer.audit;
        let rest = without_the_rest(state.trained.model.tree(), &config, &self.callbacks, audit)?;
        if let Some((tree, frozen)) = rest {
            tracing::info!(
                "{frozen} parameters outside of [optimizer] parameters are frozen, batch norms among them in \
                 evaluation mode: no strategy is loaded that could thaw them"
            );
            state.trained.model.apply_tree(tree)?;
        }
        let groups = initial_groups(state.trained.model.tree(), &config)?;
        let mut optimizer = Optimizer::new(config, groups).map_err(FitError::from)?;
        if let Some(config) = &state.config.scheduler {
            let length = run_length(&state.config, &state.position.progress);
            let mut scheduler =
                Scheduler::new(config.clone(), length, optimizer.config()).map_err(FitError::from)?;
            scheduler.start(optimizer.groups_mut()).map_err(FitError::from)?;
            state.trained.scheduler = Some(scheduler);
        }
        state.trained.optimizer = Some(optimizer);
        state.watched.changed = false;
        Ok(())
    }
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
    let steps_per_epoch = progress.num_training_batches.div_ceil(config.trainer.accumulate_grad_batches);
    let (max_epochs, max_steps) = (config.trainer.max_epochs, config.trainer.max_steps);
    RunLength { max_epochs, steps_per_epoch, max_steps, extra_steps: 0 }
}
