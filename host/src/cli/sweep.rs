//! `host sweep`.

mod shown;

use std::path::PathBuf;

use clap::Args;
use tracing::subscriber::NoSubscriber;

use super::{Options, session, tell};
use crate::Error;
use crate::error::io;
use crate::sweep::{Choice, End, Plan, Runner, Sample, Space, SweepDir, SweepError, Trial, trials};
use thaw_files::sha256::sha256_file;
use thaw_plugins::is_path;
use thaw_train::config::RunConfig;

/// Arguments of `host sweep`.
#[derive(Args)]
#[command(override_usage = "host sweep [OPTIONS] <CONFIG>\n       host sweep [OPTIONS] --resume <DIR>")]
pub struct SweepArgs {
    /// The run config.
    #[arg(value_name = "CONFIG", required_unless_present = "resume")]
    config: Option<PathBuf>,
    /// Sets a key of the run config in every trial.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Trains with each of these values, such as optimizer.lr=1e-4,3e-4,1e-3; of several keys with all
    /// combinations.
    #[arg(long = "grid", value_name = "KEY=VALUE,…")]
    grid: Vec<Choice>,
    /// What --random draws a key from: optimizer.lr=log:1e-5..1e-2, model.dropout=0.1..0.5,
    /// data.batch_size=8,16. Between ends that are whole numbers whole numbers are drawn:
    /// data.batch_size=log:2..64.
    #[arg(long = "sample", value_name = "KEY=RANGE", requires = "random")]
    samples: Vec<Sample>,
    /// Draws so many times from what --sample names, by the run config's seed.
    #[arg(long, value_name = "N", requires = "samples", value_parser = at_least_one)]
    random: Option<usize>,
    /// Trains each setting with so many seeds, from the run config's on.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    seeds: Option<usize>,
    /// How many trials train at once. They share the machine: set trainer.threads where there are several.
    /// Default: one, or as many as a sweep that goes on had.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    jobs: Option<usize>,
    /// After so many epochs, ends a trial whose best value is worse than the median of the done ones.
    #[arg(long, value_name = "EPOCHS", value_parser = at_least_one)]
    median_after: Option<usize>,
    /// Trials that have to be done before --median-after ends one.
    #[arg(long, value_name = "N", default_value = "5", requires = "median_after",
        value_parser = at_least_one)]
    median_trials: usize,
    /// The sweep's folder. Default: sweeps/<config name>-<time>.
    #[arg(long, value_name = "DIR")]
    sweep_dir: Option<PathBuf>,
    /// Goes on with a sweep: trials that are done are kept, others go on from their last checkpoint, or begin
    /// anew.
    #[arg(long, value_name = "DIR", conflicts_with_all = [
        "config", "set", "grid", "samples", "random", "seeds", "median_after", "sweep_dir",
    ])]
    resume: Option<PathBuf>,
    /// Prints the trials, and ends.
    #[arg(long, conflicts_with = "resume")]
    dry_run: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1 on".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// Trains a run config with other values of some keys, and compares what came of it.
///
/// # Errors
/// A key or value that cannot be meant, or trials that failed.
pub fn run(options: &Options, args: SweepArgs) -> Result<(), Error> {
    let (dir, plan) = match &args.resume {
        Some(dir) => {
            let (dir, mut plan) = SweepDir::open(dir)?;
            let more = passed_on(options)?;
            plan.options.extend(more.into_iter().filter(|option| option != "--strict-plugins"));
            (dir, plan)
        }
        None => {
            let config = args.config.clone().unwrap_or_default();
            let plan = plan(options, &args, config)?;
            if args.dry_run {
                return shown::plan(&plan, args.json);
            }
            let name = plan.config.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            (SweepDir::create(args.sweep_dir.as_deref(), &name, &plan)?, plan)
        }
    };
    let interrupts = session::count_interrupts();
    let say = !options.quiet;
    if say {
        let (count, shown) = (plan.trials.len(), dir.shown().display());
        tell(format_args!("{count} trials in {shown}; each has its output in {shown}/logs"));
    }
    let runner = Runner {
        plan: &plan,
        dir: &dir,
        jobs: args.jobs.or(plan.jobs).unwrap_or(1),
        interrupts: &interrupts,
    };
    let ends = runner.run(&mut |index, told| {
        if say {
            tell(shown::line(&dir, &plan, index, &told));
        }
    })?;
    shown::result(&dir, &plan, &ends, args.json, options.quiet)?;
    verdict(&dir, &plan, &ends)
}

/// The plan of a new sweep: every trial's run config can be read.
fn plan(options: &Options, args: &SweepArgs, config: PathBuf) -> Result<Plan, Error> {
    let read = RunConfig::read(&config, &args.set).map_err(thaw_train::Error::from)?;
    let (grid, samples) = (args.grid.clone(), args.samples.clone());
    let space = Space { grid, samples, draws: args.random.unwrap_or(0) };
    refuse_twice(args, &space)?;
    if space.keys().is_empty() && args.seeds.is_none() {
        return Err(Error::Usage(
            "a sweep goes through values: name some with --grid KEY=VALUE,VALUE, with --sample and --random, \
             or with --seeds"
                .to_owned(),
        ));
    }
    let trials: Vec<Trial> = trials(&space, args.seeds.unwrap_or(0), read.seed);
    for trial in &trials {
        let set: Vec<String> = args.set.iter().cloned().chain(trial.set()).collect();
        // What there is to say of the run config is said: of its trials nothing is said again.
        let read = || RunConfig::read(&config, &set);
        tracing::subscriber::with_default(NoSubscriber::default(), read).map_err(thaw_train::Error::from)?;
    }
    let here = || io("the working directory");
    Ok(Plan {
        sha256: sha256_file(&config).map_err(io(&config))?,
        config: std::path::absolute(&config).map_err(here())?,
        folder: std::env::current_dir().map_err(here())?,
        options: passed_on(options)?,
        set: args.set.clone(),
        median_after: args.median_after,
        median_trials: args.median_trials,
        jobs: args.jobs,
        trials,
    })
}

/// A key has its values from one place.
fn refuse_twice(args: &SweepArgs, space: &Space) -> Result<(), Error> {
    let of_set = |text: &String| text.split_once('=').map_or(text.clone(), |(key, _)| key.trim().to_owned());
    let mut keys: Vec<String> = args.set.iter().map(of_set).collect();
    keys.sort_unstable();
    keys.dedup();
    keys.extend(space.keys().into_iter().map(str::to_owned));
    keys.extend(args.seeds.map(|_| "seed".to_owned()).filter(|_| space.keys().contains(&"seed")));
    let twice = keys.iter().enumerate().find(|(place, key)| keys[..*place].contains(key));
    twice.map_or(Ok(()), |(_, key)| {
        Err(Error::Usage(format!("{key}: its values come from one of --set, --grid, --sample and --seeds")))
    })
}

/// What of the command line's options trials get. Paths are absolute: a sweep may go on from elsewhere.
fn passed_on(options: &Options) -> Result<Vec<String>, Error> {
    let mut passed = Vec::new();
    for plugin in &options.plugins {
        let file = is_path(plugin).then(|| std::path::absolute(plugin).ok()).flatten();
        let file = file.and_then(|file| file.to_str().map(str::to_owned));
        passed.extend(["--plugin".to_owned(), file.unwrap_or_else(|| plugin.clone())]);
    }
    for dir in &options.plugin_dirs {
        let dir = &std::path::absolute(dir).map_err(io(dir))?;
        let dir = dir.to_str().ok_or_else(|| {
            Error::Usage(format!("--plugin-dir {}: a sweep takes folders with names in UTF-8", dir.display()))
        })?;
        passed.extend(["--plugin-dir".to_owned(), dir.to_owned()]);
    }
    if options.strict_plugins {
        passed.push("--strict-plugins".to_owned());
    }
    passed.extend((0..options.verbose).map(|_| "--verbose".to_owned()));
    Ok(passed)
}

/// What the sweep ends with: 130 where the user stopped it, the trials' exit code where some failed.
fn verdict(dir: &SweepDir, plan: &Plan, ends: &[Option<End>]) -> Result<(), Error> {
    if ends.iter().any(|end| matches!(end, None | Some(End::Interrupted))) {
        tell(format_args!(
            "stopped; go on with: {} sweep --resume {}",
            super::program(),
            dir.shown().display()
        ));
        return Err(thaw_train::Error::Interrupted.into());
    }
    let failed = ends.iter().zip(&plan.trials).filter_map(|(end, trial)| match end {
        Some(End::Failed { code, .. }) => Some((trial.name.clone(), *code)),
        _ => None,
    });
    let (failed, codes): (Vec<String>, Vec<Option<i32>>) = failed.unzip();
    let Some(first) = codes.first() else { return Ok(()) };
    let common = first.filter(|_| codes.iter().all(|code| code == first));
    let exit_code = common.and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    let (trials, dir) = (ends.len(), dir.shown().to_path_buf());
    Err(SweepError::Failed { failed, trials, dir, exit_code }.into())
}
