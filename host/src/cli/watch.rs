//! `host watch`.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;

use super::ask::in_words;
use crate::Error;
use crate::watch::{Snapshot, text, watch};
use crate::width::print_wrapped;
use thaw_report::Run;

/// Columns of the words that say what a line is.
const INDENT: usize = 11;

/// Arguments of `host watch`.
#[derive(Args)]
pub struct WatchArgs {
    /// The run directory, of a run that is live or over.
    #[arg(value_name = "RUN_DIR")]
    run_dir: PathBuf,
    /// Prints what there is to see as text, once.
    #[arg(long)]
    once: bool,
}

/// Shows a run, live or over; keys ask a live one for a stop, a checkpoint, a validation.
///
/// # Errors
/// The folder is no run directory, or there is no terminal.
pub fn run(args: &WatchArgs) -> Result<(), Error> {
    if args.once {
        return Ok(print_wrapped(text(&Snapshot::of(&Run::read(&args.run_dir)?)), INDENT)?);
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Error::Usage(
            "host watch shows a run on a terminal, and this is none; --once prints the same as text"
                .to_owned(),
        ));
    }
    Ok(watch(&args.run_dir, in_words)?)
}
