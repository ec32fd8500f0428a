//! Uses what plugin-api 1.0.0 offers: freezing, groups, state, metrics, the log.

use thaw_plugin_api::prelude::*;

/// Trains the head alone, and the whole model from one epoch on.
#[derive(Config)]
struct OldStrategy {
    /// Epoch at which the backbone thaws.
    #[config(default = 1)]
    unfreeze_at_epoch: usize,
    /// Steps seen.
    #[config(state)]
    steps: usize,
}

impl Strategy for OldStrategy {
    const ID: &'static str = "old-strategy";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module("backbone")?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch == self.unfreeze_at_epoch {
            let rate = optimizer.group(0)?.lr / 10.0;
            model.module("backbone")?.unfreeze_and_add_param_group(optimizer, rate)?;
        }
        Ok(())
    }

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        self.steps += 1;
        context.loss()?;
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        context.log("old_steps", self.steps as f64)
    }
}

export_plugin!(strategies: [OldStrategy]);
