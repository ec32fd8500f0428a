//! What else goes on while a run trains.

use std::path::PathBuf;
use std::process::Command;

use thaw_plugin_api::prelude::*;

/// Changes the working directory at the start of the run or when an epoch ends, and runs a shell command when
/// an epoch ends.
#[derive(Config)]
pub struct CaseCommand {
    /// The command.
    command: Option<String>,
    /// The working directory of the process from then on.
    folder: Option<PathBuf>,
    /// Whether the working directory changes in `setup` already.
    #[config(default = false)]
    at_setup: bool,
    /// The epoch, from 0.
    epoch: usize,
}

impl Callback for CaseCommand {
    const ID: &'static str = "case-command";

    fn setup(&mut self, _: &mut Context) -> Result<()> {
        if let Some(folder) = self.folder.as_ref().filter(|_| self.at_setup) {
            std::env::set_current_dir(folder)?;
        }
        Ok(())
    }

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
