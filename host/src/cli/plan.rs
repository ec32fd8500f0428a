//! `host plan`.

use std::path::PathBuf;

use clap::Args;

use super::{Options, session};
use crate::Error;
use crate::config::RunConfig;

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
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    steps_per_epoch: usize,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

/// Prints what trains at which rate in which epoch.
///
/// # Errors
/// Anything of the run config that cannot be had.
pub fn run(options: &Options, args: PlanArgs) -> Result<(), Error> {
    let config = RunConfig::read(&args.config, &args.set)?;
    session::device("cpu")?;
    let plugins = session::plugins(options, Some(&config))?;
    let plan = crate::plan::plan(&config, &plugins, args.steps_per_epoch)?;
    if args.json {
        println!("{}", plan.to_json());
    } else {
        print!("{}", plan.text());
    }
    Ok(())
}
