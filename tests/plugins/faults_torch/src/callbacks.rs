//! Callbacks that do to libtorch what they should not.

use thaw_plugin_api::prelude::*;
use thaw_plugin_api::tch::{no_grad, no_grad_guard};

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
