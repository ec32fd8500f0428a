//! `host runs compare`.

use std::path::PathBuf;

use clap::Args;

use super::list;
use crate::Error;
use crate::cli::outputs::{Inputs, refuse_other_than_page};
use crate::cli::{Options, print};
use thaw_report::runs::Found;

/// Arguments of `host runs compare`.
#[derive(Args)]
pub(super) struct CompareArgs {
    /// Run directories.
    #[arg(value_name = "RUN_DIR", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,
    /// Where the page goes.
    #[arg(long, value_name = "FILE", default_value = "comparison.html")]
    output: PathBuf,
    /// Prints one JSON array.
    #[arg(long)]
    json: bool,
}

/// Prints a table of runs, writes a page of their curves over each other, and says where it is.
///
/// # Errors
/// A folder is no run directory, or the page cannot be written.
pub(super) fn run(options: &Options, args: &CompareArgs) -> Result<(), Error> {
    let inputs = args.runs.iter().fold(Inputs::default(), |inputs, run| inputs.folder(run));
    inputs.refuse("--output", &args.output)?;
    refuse_other_than_page("--output", &args.output)?;
    let runs = args.runs.iter().map(|path| Found::read(path)).collect::<Result<Vec<_>, _>>()?;
    list::print_all(&runs, None, args.json)?;
    let path = thaw_report::write_comparison(&runs, &args.output)?;
    if options.quiet || args.json { Ok(()) } else { print(path.display()) }
}
