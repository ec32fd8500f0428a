//! SGD, Adam and AdamW over libtorch's fused kernels, with named parameter groups and state by parameter
//! name.
//!
//! ```text
//! [optimizer] table ──► OptimizerConfig ──► Optimizer { groups, state by name }
//!                                              │ step(&Parameters): names resolved once,
//!                                              │ then one call per group
//! ```

mod config;
mod error;
mod parameters;
mod plan;
mod state;

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use tch::Tensor;
pub use thaw_plugin_api::optimizer::ParamGroup;

use thaw_torch::gradients;
use thaw_torch::reading::{Reading, Reads};

pub use config::{AdamConfig, Algorithm, OptimizerConfig};
pub use error::OptimizerError;
pub use parameters::Parameters;
use plan::Plan;
use state::ParameterState;

/// Result of everything in [`crate::optimizer`].
pub type Result<T> = std::result::Result<T, OptimizerError>;

/// How gradients are clipped before a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// Scale all gradients so that their joint norm is at most this, 0 or more.
    Norm(f64),
    /// Limit each element to `[-limit, limit]`.
    Value(f64),
}

/// An optimizer: its groups, their rates, and each parameter's state.
///
/// A parameter is known by its name. Groups may appear, change and vanish at any time; a parameter keeps its
/// state as long as the optimizer lives, whichever group it is in. State is made at a parameter's first step
/// with a gradient; parameters without one are left out of a step altogether (no weight decay, no momentum,
/// no count), as in PyTorch.
#[derive(Debug)]
pub struct Optimizer {
    config: OptimizerConfig,
    groups: Vec<ParamGroup>,
    states: HashMap<String, ParameterState>,
    plan: Option<Plan>,
    /// The groups may have been written to since the plan last read them.
    touched: bool,
}

impl Optimizer {
    /// An optimizer without state.
    ///
    /// # Errors
    /// A group's rate, weight decay or option out of range, an unknown option, two groups of one name, a
    /// parameter in two groups.
    pub fn new(config: OptimizerConfig, groups: Vec<ParamGroup>) -> Result<Optimizer> {
        config.check()?;
        config::check_groups(&config, &groups)?;
        Ok(Optimizer { config, groups, states: HashMap::new(), plan: None, touched: true })
    }

    /// The settings it was made with.
    pub fn config(&self) -> &OptimizerConfig {
        &self.config
    }

    /// Takes the settings of another optimizer. State starts empty, and groups lose options of their own.
    ///
    /// # Errors
    /// Settings that do not fit.
    pub fn replace(&mut self, config: OptimizerConfig) -> Result<()> {
        let mut groups = self.groups.clone();
        groups.iter_mut().for_each(|group| group.options.clear());
        *self = Optimizer::new(config, groups)?;
        Ok(())
    }

    /// The groups, in order.
    pub fn groups(&self) -> &[ParamGroup] {
        &self.groups
    }

    /// The groups, to change rates, options and parameters; checked at the next step.
    pub fn groups_mut(&mut self) -> &mut [ParamGroup] {
        self.touched = true;
        &mut self.groups
    }

    /// Replaces the groups. State stays with the parameters' names.
    ///
    /// # Errors
    /// As [`Optimizer::new`]; the groups then stay as they were.
    pub fn set_groups(&mut self, groups: Vec<ParamGroup>) -> Result<()> {
        config::check_groups(&self.config, &groups)?;
        self.groups = groups;
        self.touched = true;
        Ok(())
    }

    /// Updates every parameter of the groups that has a gradient.
    ///
    /// Names are looked up when the groups' parameters or `parameters` itself have changed, not at every
    /// step.
    ///
    /// # Errors
    /// A name that `parameters` does not have, a state of another shape, a rate that is not finite, or
    /// libtorch's own.
    pub fn step(&mut self, parameters: &Parameters) -> Result<()> {
        self.step_unless(parameters, None)
    }

    /// As [`Optimizer::step`]; where the value of `found_inf` is 1, nothing changes and no step counts.
    ///
    /// # Errors
    /// As [`Optimizer::step`].
    pub fn step_unless(&mut self, parameters: &Parameters, found_inf: Option<&Tensor>) -> Result<()> {
        self.prepare(parameters)?;
        let Optimizer { plan, states, .. } = self;
        plan.as_mut().map_or(Ok(()), |plan| plan.step(states, found_inf))
    }

    /// Drops the gradients of the groups' parameters.
    pub fn zero_grad(&mut self, parameters: &Parameters) -> Result<()> {
        let plan = self.prepare(parameters)?;
        Ok(gradients::zero_grad(plan.all())?)
    }

    /// Clips the gradients of the groups' parameters. Gives their norm before, where clipping is by norm.
    pub fn clip(&mut self, parameters: &Parameters, clip: Clip, reads: Reads) -> Result<Option<Reading>> {
        let plan = self.prepare(parameters)?;
        Ok(match clip {
            Clip::Norm(limit) => Some(gradients::clip_grad_norm(plan.all(), limit, reads)?),
            Clip::Value(limit) => {
                gradients::clip_grad_value(plan.all(), limit)?;
                None
            }
        })
    }

    /// Divides the gradients of the groups' parameters by a number and by a loss scale. `found_inf` becomes 1
    /// where one of them is not finite: then the step must be left out.
    pub fn unscale(
        &mut self,
        parameters: &Parameters,
        divisor: f64,
        scale: Option<&Tensor>,
        found_inf: &Tensor,
    ) -> Result<()> {
        let plan = self.prepare(parameters)?;
        Ok(gradients::unscale(plan.all(), divisor, scale, found_inf)?)
    }

    /// Every state there is, named `<parameter>/<state>` (`head.weight/exp_avg`), sorted by name, by
    /// PyTorch's names and dtypes: `step` is an `f32` without dimensions. The tensors are the live ones: copy
    /// them before the next step.
    pub fn state_dict(&self) -> Vec<(String, Tensor)> {
        let mut all: Vec<_> =
            self.states.iter().flat_map(|(parameter, state)| state.named(&self.config, parameter)).collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// Replaces all state by what [`Optimizer::state_dict`] gave, copied. Parameters not named there start
    /// without state.
    ///
    /// # Errors
    /// A name that is no `<parameter>/<state>` of this optimizer, or a parameter with only part of its
    /// states. The shapes are compared at the next step, when the parameters are at hand. On an error nothing
    /// has changed.
    pub fn load_state_dict(&mut self, state: impl IntoIterator<Item = (String, Tensor)>) -> Result<()> {
        self.states = state::from_named(&self.config, state)?;
        self.plan = None;
        Ok(())
    }

    /// Brings the plan up to date with the groups and the parameters.
    fn prepare(&mut self, parameters: &Parameters) -> Result<&Plan> {
        let mut plan = self.plan.take().filter(|plan| plan.is_for(parameters));
        if self.touched && plan.as_ref().is_some_and(|plan| !plan.same_members(&self.groups)) {
            config::check_groups(&self.config, &self.groups)?;
            plan = None;
        }
        let mut plan = match plan {
            Some(plan) => plan,
            None => {
                self.touched = true;
                Plan::new(&self.config, &self.groups, parameters, &mut self.states)?
            }
        };
        if self.touched {
            plan.read_options(&self.config, &self.groups)?;
            self.touched = false;
        }
        Ok(self.plan.insert(plan))
    }
}
