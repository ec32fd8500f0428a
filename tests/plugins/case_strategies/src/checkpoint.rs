//! A callback that wants checkpoints.

use thaw_plugin_api::prelude::*;

/// Asks for a checkpoint in a hook, whenever it is called.
#[derive(Config)]
pub struct CaseCheckpoint {
    /// The hook.
    hook: String,
    /// The checkpoint's name.
    name: String,
}

impl CaseCheckpoint {
    fn called(&self, hook: &str, context: &mut Context) -> Result<()> {
        if self.hook == hook { context.save_checkpoint(&self.name) } else { Ok(()) }
    }
}

impl Callback for CaseCheckpoint {
    const ID: &'static str = "case-checkpoint";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        self.called("on_train_epoch_end", context)
    }

    fn on_train_end(&mut self, context: &mut Context) -> Result<()> {
        self.called("on_train_end", context)
    }

    fn on_fit_end(&mut self, context: &mut Context) -> Result<()> {
        self.called("on_fit_end", context)
    }
}
