//! `host report`.

use std::path::PathBuf;

use clap::Args;

use super::outputs::{Inputs, refuse_other_than_page};
use super::{Options, print};
use crate::Error;
use thaw_train::run_dir::{
    CHECKPOINTS, CONFIG, CONFUSION, FILES, GROUPS, HISTORY, METRICS, PLUGIN_FILES, PLUGINS, RESUMES, SWAPS,
};

/// Arguments of `host report`.
#[derive(Args)]
pub struct ReportArgs {
    /// The run directory, of a run that is live or over.
    #[arg(value_name = "RUN_DIR")]
    run_dir: PathBuf,
    /// Where the report goes. Default: report.html in the run directory, where the run itself writes it.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Makes a report from the records of a run, and says where it is.
///
/// # Errors
/// The folder is no run directory, or the report cannot be written.
pub fn run(options: &Options, args: &ReportArgs) -> Result<(), Error> {
    if let Some(output) = &args.output {
        let files = [CONFIG, CONFUSION, GROUPS, HISTORY, METRICS, PLUGINS, RESUMES, SWAPS];
        let read = files.iter().fold(Inputs::default(), |read, file| read.file(&args.run_dir.join(file)));
        let folders = [CHECKPOINTS, FILES, PLUGIN_FILES];
        let read = folders.iter().fold(read, |read, folder| read.folder(&args.run_dir.join(folder)));
        read.refuse("--output", output)?;
        refuse_other_than_page("--output", output)?;
    }
    let path = thaw_report::write(&args.run_dir, args.output.as_deref())?;
    if options.quiet { Ok(()) } else { print(path.display()) }
}
