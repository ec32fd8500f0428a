//! `host ask`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Options, session, tell};
use crate::Error;
use crate::width::print_wrapped;
use thaw_terminal::number;
use thaw_train::ask::{Ask, AskAnswer, ask};

/// Arguments of `host ask`.
#[derive(Args)]
pub struct AskArgs {
    /// The run directory of a live run.
    #[arg(value_name = "RUN_DIR")]
    run_dir: PathBuf,
    /// Withdraws the request where the run does not look at it in this time. Default: waits for it.
    #[arg(long, value_name = "SECONDS", value_parser = super::seconds, global = true)]
    timeout: Option<Duration>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Ends the run after its present epoch, as one that is done.
    Stop {
        /// Why, for the run's records.
        #[arg(long, value_name = "TEXT", default_value = "asked for by the user")]
        reason: String,
    },
    /// Writes a checkpoint after the present step, which is kept.
    Checkpoint {
        /// Its name. Default: asked-epoch=E-step=S.
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Validates after the present batch.
    Validate,
}

/// Asks a live run, and waits for its answer.
///
/// # Errors
/// The run is not live, refuses, or does not answer in time.
pub fn run(options: &Options, args: AskArgs) -> Result<(), Error> {
    let stop = session::watch_interrupts();
    let what = match args.what {
        What::Stop { reason } => Ask::Stop { reason },
        What::Checkpoint { name } => Ask::Checkpoint { name },
        What::Validate => Ask::Validate,
    };
    let asked = |process: &str| {
        if !options.quiet {
            tell(format_args!("asked process {process}; it answers after its present batch"));
        }
    };
    let answer = ask(&args.run_dir, what, args.timeout, asked, || stop.is_stopped())?;
    Ok(print_wrapped(in_words(&answer), 4)?)
}

/// What a run answers.
pub(crate) fn in_words(answer: &AskAnswer) -> String {
    match answer {
        AskAnswer::Stops { epoch } => format!("the run ends after epoch {}", epoch + 1),
        AskAnswer::Written { name } => format!("checkpoint {name} is written"),
        AskAnswer::Validated { metrics } => {
            let values = metrics.iter().map(|(name, value)| {
                let value = value.map_or("no number".to_owned(), number);
                format!("  {name} {value}")
            });
            format!("validated:{}", values.collect::<String>())
        }
        AskAnswer::Refused { reason } => format!("refused: {reason}"),
    }
}
