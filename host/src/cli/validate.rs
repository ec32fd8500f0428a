//! `host validate`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, json};
use thaw_plugin_api::context::Stage;

use super::Options;
use super::trained::TrainedArgs;
use crate::Error;
use crate::stdout::print;

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
    let (evaluation, data) = trained.inference.validate(&trained.checkpoint.state.class_names)?;
    let names = data.class_names();
    let name = |index: usize| names.get(index).cloned().unwrap_or_else(|| index.to_string());
    if args.json {
        let metrics: Map<_, _> =
            evaluation.metrics.means().map(|(name, mean)| (name.to_owned(), json!(mean))).collect();
        let classes = evaluation.classes.iter().enumerate().filter(|(_, (_, samples))| *samples > 0);
        let classes: Vec<_> = classes
            .map(|(index, (hits, samples))| json!({ "class": name(index), "hits": hits, "samples": samples }))
            .collect();
        let checkpoint = trained.checkpoint.folder().to_string_lossy();
        return print(json!({ "checkpoint": checkpoint, "metrics": metrics, "classes": classes }));
    }
    print(trained.checkpoint.folder().display())?;
    for (name, mean) in evaluation.metrics.means() {
        print(format_args!("{name} {mean}"))?;
    }
    super::classes::table(&evaluation.classes, name).lines().try_for_each(print)
}
