//! `host log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::print;
use crate::Error;
use crate::error::io;
use thaw_train::run_dir::{Holder, RunLock, holder};

/// Arguments of `host log`.
#[derive(Args)]
pub struct LogArgs {
    #[command(subcommand)]
    command: LogCommand,
}

#[derive(Subcommand)]
enum LogCommand {
    /// Sends to its MLflow server what a run could not send while it trained.
    Sync {
        /// The run directory.
        #[arg(value_name = "RUN_DIR")]
        run_dir: PathBuf,
    },
}

/// Does what loggers left undone.
///
/// # Errors
/// The run is live; or its server cannot be reached or refuses: what it has not taken stays in the run
/// directory.
pub fn run(args: LogArgs) -> Result<(), Error> {
    let LogCommand::Sync { run_dir } = args.command;
    let shown = run_dir.display();
    match holder(&run_dir).map_err(io(&run_dir))? {
        Holder::Nobody => {}
        Holder::Live { process } => {
            return Err(Error::Usage(format!(
                "{shown}: the run is live (process {process}) and sends by itself"
            )));
        }
        Holder::NoRun => return Err(Error::Usage(format!("{shown}: this is no run directory"))),
    }
    // Nobody resumes the run meanwhile.
    let _lock = RunLock::take(&run_dir).map_err(thaw_train::Error::from)?;
    let synced = thaw_loggers::sync(&run_dir)?;
    match synced.requests {
        0 => print(format_args!("everything is with {} already", synced.tracking_uri)),
        1 => print(format_args!("1 request sent to {}", synced.tracking_uri)),
        requests => print(format_args!("{requests} requests sent to {}", synced.tracking_uri)),
    }
}
