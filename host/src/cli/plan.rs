//! `host plan`.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::run_plugins::{self, Needs};
use super::{Options, session};
use crate::Error;
use crate::cli::print;
use crate::error::io;
use thaw_train::config::RunConfig;
use thaw_train::fit::name_files;
use thaw_train::parts::create_model;

/// Arguments of `host plan`.
#[derive(Args)]
pub struct PlanArgs {
    /// The run config.
    #[arg(value_name = "CONFIG")]
    config: PathBuf,
    /// Sets a key of the run config.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Optimizer steps in an epoch, for schedules of steps: no data is read.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one())]
    steps_per_epoch: usize,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Prints the model's module tree as JSON, for `FakeModel::from_json` of an author's tests, and plans
    /// nothing.
    #[arg(long, conflicts_with_all = ["json", "write_schedule"])]
    tree: bool,
    /// Writes a schedule for phased-finetuning to start from, made of the model's stages and the run's epochs
    /// and rate, and plans nothing.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    write_schedule: Option<PathBuf>,
}

/// Prints what trains at which rate in which epoch.
///
/// # Errors
/// Anything of the run config that cannot be had.
pub fn run(options: &Options, args: PlanArgs) -> Result<(), Error> {
    let mut config = RunConfig::read(&args.config, &args.set)?;
    session::device("cpu")?;
    let plugins = run_plugins::load(options, &config, None, Needs::Everything)?;
    name_files(&mut config, &plugins);
    if args.tree {
        let model = create_model(&config, &plugins)?;
        return print(
            serde_json::to_string(model.tree()).map_err(|error| io("the module tree")(error.into()))?,
        );
    }
    if let Some(path) = &args.write_schedule {
        return write_schedule(path, &thaw_train::plan::starting_schedule(&config, &plugins, path)?);
    }
    let plan = thaw_train::plan::plan(&config, &plugins, args.steps_per_epoch)?;
    if args.json { print(plan.to_json()) } else { print(plan.text().trim_end()) }
}

/// A file that is there may have been edited: it is left alone.
fn write_schedule(path: &Path, schedule: &str) -> Result<(), Error> {
    if path.exists() {
        let reason = "there is a file already; take another name, or remove it";
        return Err(io(path)(std::io::Error::new(std::io::ErrorKind::AlreadyExists, reason)));
    }
    thaw_files::durable::write(path, schedule.as_bytes()).map_err(io(path))?;
    print(format_args!("{}: written; use it with\n", path.display()))?;
    print(format_args!(
        "[[callbacks]]\nid = \"phased-finetuning\"\nschedule = {:?}",
        path.display().to_string()
    ))
}

fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}
