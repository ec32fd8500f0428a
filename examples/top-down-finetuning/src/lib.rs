//! Layers of the backbone thaw from the top down, some more at each epoch.

use thaw_plugin_api::prelude::*;

/// Trains the head alone, then more of the backbone's layers at each epoch, the last ones first.
#[derive(Config)]
struct TopDown {
    /// Epoch at which the first layers thaw.
    #[config(default = 5)]
    unfreeze_at_epoch: usize,
    /// Children of the backbone that thaw at each epoch from then on.
    #[config(default = 2, range = 1..)]
    layers_per_epoch: usize,
}

impl Strategy for TopDown {
    const ID: &'static str = "top-down";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module("backbone")?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn finetune(&mut self, epoch: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if epoch >= self.unfreeze_at_epoch {
            let already = (epoch - self.unfreeze_at_epoch) * self.layers_per_epoch;
            let rate = optimizer.group(0)?.lr / 10.0;
            for layer in model.children("backbone")?.iter().rev().skip(already).take(self.layers_per_epoch) {
                model.module(layer)?.unfreeze_and_add_param_group(optimizer, rate)?;
            }
        }
        Ok(())
    }
}

export_plugin!(strategies: [TopDown]);

#[cfg(test)]
mod tests;
