//! `host fit`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::start::StartArgs;
use super::{Options, find_lr, session, tell};
use crate::Error;
use crate::checkpoint::{LAST, locate};
use crate::fit::{Fit, FitOptions, Outcome};
use crate::progress::Reporter;
use crate::run_dir::RunDir;
use crate::stdout::print;

/// Arguments of `host fit`.
#[derive(Args)]
pub struct FitArgs {
    #[command(flatten)]
    start: StartArgs,
    /// Where the run writes. Default: runs/<config name>-<time>, or the run that is resumed.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Runs a range test first, and trains with the optimizer.lr that it suggests.
    #[arg(long, conflicts_with = "resume")]
    find_lr: bool,
}

/// Trains.
///
/// # Errors
/// What ended the run.
pub fn run(options: &Options, args: FitArgs) -> Result<(), Error> {
    let (mut config, resume) = args.start.read()?;
    let run_dir = match (args.run_dir, &resume) {
        (Some(run_dir), _) => run_dir,
        (None, Some(checkpoint)) => {
            checkpoint.run_dir().unwrap_or_else(|| RunDir::default_path(&config.name()))
        }
        (None, None) => RunDir::default_path(&config.name()),
    };
    let device = session::device(&config.trainer.device)?;
    let plugins = session::plugins(options, Some(&config))?;
    session::watch_interrupts();
    if args.find_lr {
        config = find_lr::with_suggestion(config, plugins.clone(), device, options.quiet)?;
    }
    let shown = run_dir.clone();
    let mut fit = Fit::build(
        config,
        plugins,
        device,
        FitOptions { run_dir, resume, reporter: Reporter::new(options.quiet), reads: None },
    )?;
    let result = fit.run();
    if let Err(error) = &result {
        tell_last_checkpoint(&shown, error);
    }
    let outcome = result?;
    if !options.quiet {
        // The run is done all the same.
        summary(&fit, &outcome, &shown).unwrap_or_else(|error| tracing::error!("{error}"));
    }
    Ok(())
}

fn tell_last_checkpoint(run_dir: &Path, error: &Error) {
    match locate(run_dir, LAST) {
        Ok(checkpoint) if matches!(error, Error::Interrupted) => {
            tell(format_args!("stopped; go on with: {} fit --resume {}", program(), run_dir.display()));
            tracing::debug!("checkpoint: {}", checkpoint.display());
        }
        Ok(checkpoint) => tell(format_args!("the last good checkpoint is {}", checkpoint.display())),
        Err(_) => tell("there is no checkpoint to go on from"),
    }
}

fn summary(fit: &Fit, outcome: &Outcome, run_dir: &Path) -> Result<(), Error> {
    let stopped = outcome.stopped.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    print(format_args!("\n{} epochs, {} steps{stopped}", outcome.epochs, outcome.global_step))?;
    if let Some(best) = &outcome.best {
        print(format_args!("best {} {:.4} in epoch {}", best.monitor, best.value, best.epoch + 1))?;
        let names = fit.state().data.class_names();
        let table = super::classes::table(&best.classes, |index| {
            names.get(index).cloned().unwrap_or_else(|| index.to_string())
        });
        table.lines().try_for_each(print)?;
    }
    let checkpoint = run_dir.join(crate::run_dir::CHECKPOINTS).join(if outcome.best.is_some() {
        crate::checkpoint::BEST
    } else {
        LAST
    });
    if checkpoint.exists() {
        let (shown, program) = (checkpoint.display(), program());
        print(format_args!("checkpoint {shown}"))?;
        print(format_args!(
            "predict    {program} predict --checkpoint {shown} --input PATH --output predictions.csv"
        ))?;
    }
    Ok(())
}

/// This program as it was called, for commands to be copied.
fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "host".to_owned(), |called| called.to_string_lossy().into_owned())
}
