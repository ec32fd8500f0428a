//! What is done to the weights when training has ended.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{Tensor, no_grad};

/// Keeps the mean of a parameter over the epochs, puts it into the model at the end, and saves that as
/// `average`.
#[derive(Config)]
pub struct CaseAverage {
    /// Name of the parameter.
    parameter: String,
    #[config(skip)]
    values: Vec<Tensor>,
}

impl Callback for CaseAverage {
    const ID: &'static str = "case-average";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        self.values.push(context.tensor(&self.parameter)?.detach().copy());
        Ok(())
    }

    fn on_train_end(&mut self, context: &mut Context) -> Result<()> {
        let mean = Tensor::f_stack(&self.values, 0)?.f_mean_dim(0_i64, false, None)?;
        let mut parameter = context.tensor(&self.parameter)?;
        no_grad(|| parameter.f_copy_(&mean).map(drop))?;
        context.save_checkpoint("average")
    }
}
