//! `host fit`.

use std::path::PathBuf;

use clap::Args;
use tch::Device;

use super::find_batch_size::FindBatchSizeArgs;
use super::ranks::{self, RankLog};
use super::run_plugins::{self, Needs};
use super::start::StartArgs;
use super::{Options, find_lr, logging, program, session, tell};
use crate::Error;
use crate::cli::print;
use crate::progress::Terminal;
use crate::width::print_wrapped;
use thaw_plugins::PluginSet;
use thaw_report::Reporter;
use thaw_terminal::escape::{escape, excerpt};
use thaw_terminal::number;
use thaw_train::checkpoint::{Checkpoint, LAST, locate};
use thaw_train::config::RunConfig;
use thaw_train::fit::events::Observer;
use thaw_train::fit::{Fit, FitOptions, Outcome, StopHandle};
use thaw_train::run_dir::{Place, RunDir};
use thaw_train::together;
use thaw_train::world::{Launch, World};

/// Arguments of `host fit`.
#[derive(Args)]
#[command(
    override_usage = "host fit [OPTIONS] <CONFIG>\n       host fit [OPTIONS] --resume <RUN_DIR|CHECKPOINT>"
)]
pub struct FitArgs {
    #[command(flatten)]
    start: StartArgs,
    /// Where the run writes. Default: runs/<config name>-<time>, or the run that is resumed.
    #[arg(long, value_name = "DIR")]
    run_dir: Option<PathBuf>,
    /// Runs a range test first, and trains with the optimizer.lr that it suggests.
    #[arg(long, conflicts_with = "resume")]
    find_lr: bool,
    #[command(flatten)]
    find_batch_size: FindBatchSizeArgs,
    /// Prints the run config with its overrides and the defaults of [trainer] and [checkpoint], and ends.
    #[arg(long, alias = "print_config")]
    print_config: bool,
}

/// Trains.
///
/// # Errors
/// What ended the run.
pub fn run(options: &Options, args: FitArgs) -> Result<(), Error> {
    let read = args.start.read(args.run_dir.as_deref());
    let (config, resume) =
        read.map_err(|error| ranks::fail_before_meeting(ranks::launch().as_ref(), error))?;
    if args.print_config {
        return print(config.resolved().map_err(thaw_train::Error::from)?.trim_end());
    }
    let given = args.run_dir.or_else(|| resume.as_ref().and_then(Checkpoint::run_dir));
    let run_dir = given.map_or_else(|| Place::New(config.name()), Place::Given);
    let launch = together::launch_of(&config)?;
    let processes = launch.as_ref().map_or(1, |launch| launch.world_size);
    if args.find_batch_size.is_asked() && processes > 1 {
        return Err(Error::Usage(
            "--find-batch-size tries batches in one process: search without the launcher, and give what it \
             finds as data.batch_size, which is that of each process"
                .to_owned(),
        ));
    }
    if args.find_lr && processes > 1 {
        return Err(Error::Usage(
            "--find-lr tests rates in one process: run `host find-lr` by itself, and give what it suggests \
             as optimizer.lr"
                .to_owned(),
        ));
    }
    let prepared = prepare(options, &args.find_batch_size, config, resume.as_ref(), launch.as_ref());
    let Prepared { mut config, device, plugins, stop } =
        prepared.map_err(|error| ranks::fail_before_meeting(launch.as_ref(), error))?;
    if args.find_lr {
        config = find_lr::with_suggestion(config, plugins.clone(), device, options.quiet, &stop)?;
    }
    let has_agent = launch.as_ref().is_some_and(|launch| launch.has_agent_store);
    let world = together::join(&config, launch)?;
    if world.is_single() {
        logging::say_what_waits();
    } else {
        ranks::watch(&world)?;
        ranks::tell_of_threads(&config, device, has_agent);
    }
    let observers = observers(&world, options);
    let settings = FitOptions { resume, observers, stop, world: world.clone(), ..FitOptions::new(run_dir) };
    together::run(&world, || train(options, Fit::build(config, plugins, device, settings)?))?;
    Ok(())
}

/// What a process has before it meets the others.
struct Prepared {
    config: RunConfig,
    device: Device,
    plugins: PluginSet,
    stop: StopHandle,
}

fn prepare(
    options: &Options,
    find_batch_size: &FindBatchSizeArgs,
    config: RunConfig,
    resume: Option<&Checkpoint>,
    launch: Option<&Launch>,
) -> Result<Prepared, Error> {
    let device = session::device(&config.trainer.device)?;
    let device = together::own_device(&config, launch, device)?;
    let plugins = run_plugins::load(options, &config, resume, Needs::Everything)?;
    let stop = session::watch_interrupts();
    let config = find_batch_size.apply(config, &plugins, device, &stop)?;
    Ok(Prepared { config, device, plugins, stop })
}

/// Who is told of the run: of several processes, the first one speaks for all.
fn observers(world: &World, options: &Options) -> Vec<Box<dyn Observer>> {
    if !world.is_first() {
        return vec![Box::new(RankLog::new(world.rank()))];
    }
    let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(Reporter::new())];
    if !options.quiet {
        observers.push(Box::new(Terminal::new()));
    }
    observers
}

fn train(options: &Options, mut fit: Fit) -> Result<(), thaw_train::Error> {
    let result = fit.run();
    let is_first = fit.state().world.is_first();
    if let Err(error) = &result
        && is_first
    {
        tell_last_checkpoint(&fit.state().kept.run_dir, error);
    }
    let outcome = result?;
    if !options.quiet && is_first {
        // The run is done all the same.
        summary(&fit, &outcome).unwrap_or_else(|error| tracing::error!("{error}"));
    }
    Ok(())
}

fn tell_last_checkpoint(run_dir: &RunDir, error: &thaw_train::Error) {
    let shown = run_dir.shown();
    match locate(run_dir.path(), LAST) {
        Ok(_) if matches!(error, thaw_train::Error::Interrupted) => {
            tell(format_args!("stopped; go on with: {} fit --resume {}", program(), shown.display()));
        }
        Ok(checkpoint) => {
            let checkpoint = checkpoint.strip_prefix(run_dir.path()).unwrap_or(&checkpoint);
            tell(format_args!("the last good checkpoint is {}", shown.join(checkpoint).display()));
        }
        Err(_) => tell("there is no checkpoint to go on from"),
    }
}

fn summary(fit: &Fit, outcome: &Outcome) -> Result<(), Error> {
    let stopped =
        outcome.stopped.as_ref().map(|reason| format!(" ({})", excerpt(&escape(reason)))).unwrap_or_default();
    let (epochs, steps) = (count(outcome.epochs, "epoch"), count(outcome.global_step, "step"));
    print_wrapped(format_args!("\n{epochs}, {steps}{stopped}"), 4)?;
    if let Some(best) = &outcome.best {
        let value = number(best.value);
        print_wrapped(format_args!("best {} {value} in epoch {}", best.monitor, best.epoch + 1), 4)?;
        let names = fit.state().data.class_names();
        let table = super::classes::table(&best.classes, |index| {
            names.get(index).cloned().unwrap_or_else(|| index.to_string())
        });
        table.lines().try_for_each(print)?;
    }
    let name = if outcome.best.is_some() { thaw_train::checkpoint::BEST } else { LAST };
    let run_dir = &fit.state().kept.run_dir;
    if run_dir.checkpoints().join(name).exists() {
        let checkpoint = run_dir.shown().join(thaw_train::run_dir::CHECKPOINTS).join(name);
        let (shown, program) = (checkpoint.display(), program());
        print(format_args!("checkpoint {shown}"))?;
        let is_dataset = fit.state().config.data.as_ref().is_some_and(|data| data.dataset_id().is_some());
        let input = if is_dataset { "--split test" } else { "--input PATH" };
        print(format_args!(
            "predict    {program} predict --checkpoint {shown} {input} --output predictions.csv"
        ))?;
    }
    Ok(())
}

/// A number with its noun: `1 epoch`, `2 epochs`.
fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
