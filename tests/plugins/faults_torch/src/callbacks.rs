//! Callbacks that do to libtorch what they should not.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Tensor, no_grad, no_grad_guard};

/// Turns gradients off and leaves them off.
#[derive(Config)]
pub struct LeavesGradOff {}

impl Callback for LeavesGradOff {
    const ID: &'static str = "leaves-grad-off";

    fn on_train_epoch_end(&mut self, _: &mut Context) -> Result<()> {
        std::mem::forget(no_grad_guard());
        Ok(())
    }
}

/// Freezes the first parameter, and writes to it all the same.
#[derive(Config)]
pub struct WritesToFrozen {}

impl Callback for WritesToFrozen {
    const ID: &'static str = "writes-to-frozen";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let model = context.model()?;
        let first = model.parameters().next().map(|parameter| parameter.name.clone());
        let Some(name) = first else { return Ok(()) };
        model.set_requires_grad(&name, false)?;
        let Ok(mut tensor) = context.tensor(&name) else { return Ok(()) };
        no_grad(|| tensor.f_add_scalar_(1.0).map(drop))?;
        Ok(())
    }
}

/// Validates on an average of the weights that no checkpoint has.
#[derive(Config)]
pub struct ForgetsItsAverage {
    /// The average so far, by parameter.
    #[config(skip)]
    average: Vec<(String, Tensor)>,
    /// The weights, while the average is in their place.
    #[config(skip)]
    weights: Vec<Tensor>,
}

impl Callback for ForgetsItsAverage {
    const ID: &'static str = "forgets-its-average";

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        let names: Vec<String> =
            context.model()?.parameters().map(|parameter| parameter.name.clone()).collect();
        for (index, name) in names.into_iter().enumerate() {
            let Ok(tensor) = context.tensor(&name) else { return Ok(()) };
            match self.average.get_mut(index) {
                Some((_, average)) => drop(no_grad(|| average.f_lerp_(&tensor, 0.1))?),
                None => self.average.push((name, no_grad(|| tensor.f_detach_copy())?)),
            }
        }
        Ok(())
    }

    fn on_validation_start(&mut self, context: &mut Context) -> Result<()> {
        self.weights.clear();
        for (name, average) in &self.average {
            let mut tensor = context.tensor(name)?;
            self.weights.push(no_grad(|| tensor.f_detach_copy())?);
            no_grad(|| tensor.f_copy_(average))?;
        }
        Ok(())
    }

    fn on_validation_end(&mut self, context: &mut Context) -> Result<()> {
        for ((name, _), weights) in self.average.iter().zip(&self.weights) {
            let mut tensor = context.tensor(name)?;
            no_grad(|| tensor.f_copy_(weights))?;
        }
        Ok(())
    }
}
