//! The strategy `my-plugin`.

use thaw_plugin_api::prelude::*;

/// Trains all but the backbone first, and the backbone from one epoch on at a tenth of the rate.
#[derive(Config)]
struct MyPlugin {
    /// Path of the module that starts frozen.
    #[config(default = "backbone")]
    backbone: String,
    /// Epoch at which it thaws, counted from 0.
    #[config(default = 5)]
    unfreeze_at_epoch: usize,
}

impl Strategy for MyPlugin {
    const ID: &'static str = "my-plugin";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module(&self.backbone)?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn finetune(
        &mut self,
        epoch: usize,
        model: &mut ModuleTree,
        optimizer: &mut Optimizer,
    ) -> Result<()> {
        if epoch == self.unfreeze_at_epoch {
            let rate = optimizer.group(0)?.lr / 10.0;
            model
                .module(&self.backbone)?
                .unfreeze_and_add_param_group(optimizer, rate)?;
            info!("`{}` thaws", self.backbone);
        }
        Ok(())
    }
}

export_plugin!(strategies: [MyPlugin]);

#[cfg(test)]
mod tests;
