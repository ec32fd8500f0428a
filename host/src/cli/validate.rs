//! `host validate`.

use std::path::PathBuf;

use clap::Args;
use thaw_plugin_api::context::Stage;

use super::Options;
use super::evaluation::{Evaluated, EvaluationArgs};
use super::trained::TrainedArgs;
use crate::Error;
use thaw_data::Split;

/// Arguments of `host validate`.
#[derive(Args)]
pub struct ValidateArgs {
    /// The run config; without it the checkpoint's own.
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    trained: TrainedArgs,
    #[command(flatten)]
    told: EvaluationArgs,
}

/// Validates a checkpoint on the validation data.
///
/// # Errors
/// What ended the validation.
pub fn run(options: &Options, args: ValidateArgs) -> Result<(), Error> {
    let mut trained = args.trained.open(options, args.config.as_deref(), Stage::Validate)?;
    args.told.prepare(&mut trained)?;
    let (evaluation, data) = trained.inference.validate(&trained.checkpoint)?;
    let id = |index| data.id(Split::Val, index);
    let evaluated = Evaluated { what: "validate", input: "the validation data", names: data.class_names() };
    args.told.tell(&trained, &evaluation, &evaluated, id)
}
