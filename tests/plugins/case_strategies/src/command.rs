//! What else goes on while a run trains.

use std::path::PathBuf;
use std::process::Command;

use thaw_plugin_api::prelude::*;

/// Runs a shell command, and changes the working directory, when an epoch ends.
#[derive(Config)]
pub struct CaseCommand {
    /// The command.
    command: Option<String>,
    /// The working directory of the process from then on.
    folder: Option<PathBuf>,
    /// The epoch, from 0.
    epoch: usize,
}

impl Callback for CaseCommand {
    const ID: &'static str = "case-command";

    fn on_train_epoch_end(&mut self, context: &mut Context) -> Result<()> {
        if context.epoch() != self.epoch {
            return Ok(());
        }
        if let Some(folder) = &self.folder {
            std::env::set_current_dir(folder)?;
        }
        if let Some(command) = &self.command {
            let status = Command::new("sh").arg("-c").arg(command).status()?;
            ensure!(status.success(), "{command}: {status}");
        }
        Ok(())
    }
}
