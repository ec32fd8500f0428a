//! `host log`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::Error;
use crate::error::io;
use crate::width::print_wrapped;
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
    let uri = &synced.tracking_uri;
    let said = match synced.requests {
        0 => format!("everything is with {uri} already"),
        1 => format!("1 request sent to {uri}"),
        requests => format!("{requests} requests sent to {uri}"),
    };
    Ok(print_wrapped(said, 4)?)
}
