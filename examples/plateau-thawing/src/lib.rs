//! A layer of the backbone thaws whenever a metric stalls: a strategy that is driven by a metric.

use thaw_plugin_api::prelude::*;

/// Trains the head; each time a metric has not fallen for some epochs, one more layer of the backbone thaws,
/// the last first.
#[derive(Config)]
struct PlateauThawing {
    /// The metric; less is better.
    #[config(default = "val_loss")]
    monitor: String,
    /// Epochs without a new best value after which a layer thaws.
    #[config(default = 2, range = 1..)]
    patience: usize,
    /// A layer's rate as a share of group 0's.
    #[config(default = 0.1, range = 0.0..)]
    lr_ratio: f64,
    #[config(state)]
    best: Option<f64>,
    #[config(state)]
    waited: usize,
    #[config(state)]
    thawed: usize,
}

impl Strategy for PlateauThawing {
    const ID: &'static str = "plateau-thawing";

    fn freeze_before_training(&mut self, model: &mut ModuleTree) -> Result<()> {
        model.module("backbone")?.freeze(BatchNorm::Eval);
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        let Some(value) = context.metric(&self.monitor)? else {
            warn!("the run has not logged `{}` yet: nothing thaws", self.monitor);
            return Ok(());
        };
        let improved = self.best.is_none_or(|best| value < best);
        self.waited = if improved { 0 } else { self.waited + 1 };
        self.best = if improved { Some(value) } else { self.best };
        Ok(())
    }

    fn finetune(&mut self, _: usize, model: &mut ModuleTree, optimizer: &mut Optimizer) -> Result<()> {
        if self.waited < self.patience {
            return Ok(());
        }
        let mut layers = model.children("backbone")?;
        layers.retain(|layer| {
            model.parameters_of(layer).is_ok_and(|mut parameters| parameters.next().is_some())
        });
        if let Some(layer) = layers.iter().rev().nth(self.thawed) {
            info!("`{}` stalls: {layer} thaws", self.monitor);
            let lr = optimizer.group(0)?.lr * self.lr_ratio;
            model.module(layer)?.unfreeze_and_add_param_group(optimizer, lr)?;
        }
        (self.thawed, self.waited, self.best) = (self.thawed + 1, 0, None);
        Ok(())
    }
}

export_plugin!(strategies: [PlateauThawing]);

#[cfg(test)]
mod tests;
