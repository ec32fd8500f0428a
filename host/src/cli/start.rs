//! What a run starts from: a run config, a checkpoint, or both.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::Error;
use thaw_train::checkpoint::{Checkpoint, LAST, open_last};
use thaw_train::config::RunConfig;
use thaw_train::run_dir::CHECKPOINTS;

/// Arguments of commands that train.
#[derive(Args)]
pub struct StartArgs {
    /// The run config; with --resume it may be left out.
    #[arg(value_name = "CONFIG", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Sets a key of the run config, such as trainer.max_epochs=5 or callbacks.0.lambda_func=1.5.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Goes on from a run directory's last checkpoint, or from this checkpoint; with `auto`, from that of
    /// --run-dir where it has one.
    #[arg(long, value_name = "RUN_DIR|CHECKPOINT|auto")]
    resume: Option<PathBuf>,
}

/// What `--resume` says to start a run, or to go on with it where it has begun.
const AUTO: &str = "auto";

impl StartArgs {
    /// Reads both; without a run config it is the checkpoint's.
    ///
    /// # Errors
    /// One of them cannot be read or used.
    pub fn read(&self, run_dir: Option<&Path>) -> Result<(RunConfig, Option<Checkpoint>), Error> {
        let resume = self.from(run_dir)?.map(open_last).transpose()?;
        let config = match (&self.config, &resume) {
            (None, Some(checkpoint)) => checkpoint.config(&self.set)?,
            (config, _) => RunConfig::read(config.as_deref().unwrap_or("".as_ref()), &self.set)?,
        };
        Ok((config, resume))
    }

    /// What the run goes on from; none where it begins.
    fn from<'a>(&'a self, run_dir: Option<&'a Path>) -> Result<Option<&'a Path>, Error> {
        let Some(AUTO) = self.resume.as_deref().and_then(Path::to_str) else {
            return Ok(self.resume.as_deref());
        };
        let (Some(run_dir), Some(_)) = (run_dir, &self.config) else {
            return Err(Error::Usage(
                "--resume auto goes on with the run of --run-dir where that has a checkpoint, and begins it \
                 where it has none: give a run config and --run-dir DIR"
                    .to_owned(),
            ));
        };
        // A link, of which it is not asked yet whether it leads to a checkpoint that is whole.
        let has_one = run_dir.join(CHECKPOINTS).join(LAST).symlink_metadata().is_ok();
        Ok(has_one.then_some(run_dir))
    }
}
