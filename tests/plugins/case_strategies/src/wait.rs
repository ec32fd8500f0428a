//! A callback that keeps a run where it is while a test does something.

use thaw_plugin_api::prelude::*;

/// Waits for a line on stdin at the start of each of these epochs, and says so on stdout. Where stdin has
/// ended, it does not wait.
#[derive(Config)]
pub struct CaseWait {
    /// The epochs, from 0.
    epochs: Vec<usize>,
}

impl Callback for CaseWait {
    const ID: &'static str = "case-wait";

    fn on_train_epoch_start(&mut self, context: &mut Context) -> Result<()> {
        if self.epochs.contains(&context.epoch()) {
            println!("waits in epoch {}", context.epoch());
            std::io::stdin().read_line(&mut String::new())?;
        }
        Ok(())
    }
}
