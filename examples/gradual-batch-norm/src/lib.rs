//! Batch norms stop to learn one after another, from the input up: a callback.

use thaw_plugin_api::prelude::*;

/// Freezes more of the model's batch norms at each epoch, the first ones first: parameters and statistics
/// stay.
///
/// Small batches make noisy statistics. Those of the first layers fit new data soonest.
#[derive(Config)]
struct GradualBatchNorm {
    /// Epoch at which the first batch norms freeze.
    #[config(default = 1)]
    start_epoch: usize,
    /// Batch norms that freeze at each epoch from then on.
    #[config(default = 4, range = 1..)]
    per_epoch: usize,
}

impl Callback for GradualBatchNorm {
    const ID: &'static str = "gradual-batch-norm";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        let Some(epochs) = context.epoch().checked_sub(self.start_epoch) else { return Ok(()) };
        let model = context.model()?;
        let norms = model.modules().iter().filter(|module| module.is_batch_norm());
        let frozen: Vec<String> =
            norms.take((epochs + 1) * self.per_epoch).map(|module| module.path.clone()).collect();
        info!("{} batch norms are frozen", frozen.len());
        for norm in frozen {
            model.module(&norm)?.freeze(BatchNorm::Eval);
        }
        Ok(())
    }
}

export_plugin!(callbacks: [GradualBatchNorm]);

#[cfg(test)]
mod tests;
