//! What a run starts from: a run config, a checkpoint, or both.

use std::path::PathBuf;

use clap::Args;

use crate::Error;
use thaw_train::checkpoint::{Checkpoint, open_last};
use thaw_train::config::RunConfig;

/// Arguments of commands that train.
#[derive(Args)]
pub struct StartArgs {
    /// The run config; with --resume it may be left out.
    #[arg(value_name = "CONFIG", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Sets a key of the run config, such as trainer.max_epochs=5 or callbacks.0.lambda_func=1.5.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Goes on from a run directory's last checkpoint, or from this checkpoint.
    #[arg(long, value_name = "RUN_DIR|CHECKPOINT")]
    resume: Option<PathBuf>,
}

impl StartArgs {
    /// Reads both; without a run config it is the checkpoint's.
    ///
    /// # Errors
    /// One of them cannot be read or used.
    pub fn read(&self) -> Result<(RunConfig, Option<Checkpoint>), Error> {
        let resume = self.resume.as_deref().map(open_last).transpose()?;
        let config = match (&self.config, &resume) {
            (None, Some(checkpoint)) => checkpoint.config(&self.set)?,
            (config, _) => RunConfig::read(config.as_deref().unwrap_or("".as_ref()), &self.set)?,
        };
        Ok((config, resume))
    }
}
