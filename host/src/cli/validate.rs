//! `host validate`.

use std::path::PathBuf;

use clap::Args;
use thaw_plugin_api::context::Stage;

use super::Options;
use super::evaluation::Shown;
use super::trained::TrainedArgs;
use crate::Error;
use crate::cli::print;

/// Arguments of `host validate`.
#[derive(Args)]
pub struct ValidateArgs {
    /// The run config; without it the checkpoint's own.
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    trained: TrainedArgs,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Validates a checkpoint on the validation data.
///
/// # Errors
/// What ended the validation.
pub fn run(options: &Options, args: ValidateArgs) -> Result<(), Error> {
    let mut trained = args.trained.open(options, args.config.as_deref(), Stage::Validate)?;
    let (evaluation, data) = trained.inference.validate(&trained.checkpoint)?;
    let names = data.class_names();
    let shown = Shown { checkpoint: trained.checkpoint.shown(), evaluation: &evaluation, names };
    if args.json { print(shown.json()) } else { shown.lines().try_for_each(print) }
}
