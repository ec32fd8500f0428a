//! `host test`.

use std::path::PathBuf;

use clap::Args;
use thaw_plugin_api::context::Stage;

use super::Options;
use super::evaluation::{Evaluated, EvaluationArgs};
use super::split::SplitArgs;
use super::trained::TrainedArgs;
use crate::Error;
use thaw_data::TestData;
use thaw_train::inference::UsedOn;

/// Arguments of `host test`.
#[derive(Args)]
pub struct TestArgs {
    /// The run config; without it the checkpoint's own.
    #[arg(value_name = "CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    trained: TrainedArgs,
    /// What to test on, of the kind that the run trained on, with labels: a folder of class folders, a table,
    /// a tensor file. All of its samples count; classes go by their names, and not all need be there.
    /// Default: `test_path` of [data], or the test split that its `path` holds.
    #[arg(long, value_name = "PATH")]
    input: Option<PathBuf>,
    #[command(flatten)]
    split: SplitArgs,
    #[command(flatten)]
    told: EvaluationArgs,
}

/// Keys that choose or limit what a run validates on: a test takes all of its input.
const WITHOUT_EFFECT: [&str; 4] =
    ["data.val_path", "data.val_split", "data.validation", "trainer.limit_val_batches"];
/// Those that say what is tested where `--input` does not.
const OF_TEST: [&str; 2] = ["data.path", "data.test_path"];

/// Evaluates a checkpoint on all samples of an input.
///
/// # Errors
/// What ended the test.
pub fn run(options: &Options, args: TestArgs) -> Result<(), Error> {
    let mut trained = args.trained.open(options, args.config.as_deref(), Stage::Validate)?;
    let own = TestData::input_of(trained.inference.data_config()?);
    let input = args.split.used_on_either(&trained.inference, args.input.as_deref(), own.as_deref())?;
    if let (UsedOn::Path(path), None) = (&input, &args.input) {
        tracing::info!("{} is tested, as [data] says", thaw_terminal::escape::path(path));
    }
    let of_test: &[&str] = if args.input.is_some() { &OF_TEST } else { &[] };
    let ignored = args.trained.sets_any(&WITHOUT_EFFECT).or_else(|| args.trained.sets_any(of_test));
    if let (UsedOn::Path(_), Some(key)) = (&input, ignored) {
        return Err(Error::Usage(format!(
            "--set {key}: `host test` takes all samples of --input; name there what to test on"
        )));
    }
    args.told.prepare(&mut trained)?;
    let shown = match &input {
        // From the root on: it is kept for somebody who is elsewhere.
        UsedOn::Path(path) => {
            std::path::absolute(path).as_deref().unwrap_or(path).to_string_lossy().into_owned()
        }
        UsedOn::Split(split, _) => format!("split {}", split.name()),
    };
    let class_names = &trained.checkpoint.state.given.class_names;
    let (mut evaluation, data) = trained.inference.test(input, class_names)?;
    evaluation.metrics.rename(|name| name.strip_prefix("val_").map(|name| format!("test_{name}")));
    let evaluated = Evaluated { what: "test", input: &shown, names: class_names };
    args.told.tell(&trained, &evaluation, &evaluated, |index| data.id(index))
}
