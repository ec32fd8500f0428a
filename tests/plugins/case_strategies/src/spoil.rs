//! What makes a model useless.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::no_grad;

/// Fills a tensor with NaN when an epoch ends, or its gradient before a step.
#[derive(Config)]
pub struct CaseSpoil {
    /// Name of the parameter or buffer.
    tensor: String,
    /// Whether the gradient is filled.
    #[config(default = false)]
    gradient: bool,
}

impl Callback for CaseSpoil {
    const ID: &'static str = "case-spoil";

    fn on_before_optimizer_step(&mut self, context: &mut Context) -> Result<()> {
        if self.gradient {
            no_grad(|| {
                context.tensor(&self.tensor)?.grad().f_fill_(f64::NAN).map_err(Error::from).map(drop)
            })?;
        }
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        if !self.gradient {
            no_grad(|| context.tensor(&self.tensor)?.f_fill_(f64::NAN).map_err(Error::from).map(drop))?;
        }
        Ok(())
    }
}
