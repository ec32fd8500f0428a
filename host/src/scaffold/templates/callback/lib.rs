//! The callback `my-plugin`.

use thaw_plugin_api::prelude::*;

/// Stops the run when the training loss has stayed below a limit for some batches.
#[derive(Config)]
struct MyPlugin {
    /// The limit.
    #[config(default = 0.01, range = 0.0..)]
    limit: f64,
    /// Batches in a row that must be below it.
    #[config(default = 10, range = 1..)]
    patience: usize,
    /// Batches in a row that were.
    #[config(state)]
    below: usize,
}

impl Callback for MyPlugin {
    const ID: &'static str = "my-plugin";

    fn on_train_batch_end(&mut self, context: &mut Context) -> Result<()> {
        let is_below = context.loss()?.is_some_and(|loss| loss < self.limit);
        self.below = if is_below { self.below + 1 } else { 0 };
        if self.below == self.patience {
            let reason = format!("{} batches had a loss below {}", self.below, self.limit);
            context.stop(&reason)?;
        }
        Ok(())
    }

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        context.log("batches_below_limit", self.below as f64)
    }
}

export_plugin!(callbacks: [MyPlugin]);

#[cfg(test)]
mod tests;
