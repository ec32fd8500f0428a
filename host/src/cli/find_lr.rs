//! `host find-lr`.

use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tch::Device;
use thaw_plugin_api::config::{Config, Key};

use super::outputs::Inputs;
use super::run_plugins::{self, Needs};
use super::start::StartArgs;
use super::{Options, session};
use crate::Error;
use crate::cli::print;
use crate::error::io;
use thaw_files::durable;
use thaw_plugins::PluginSet;
use thaw_train::checkpoint::Checkpoint;
use thaw_train::config::RunConfig;
use thaw_train::find_lr::{FindLr, FindLrError, FoundLr, Growth};
use thaw_train::fit::{Fit, FitOptions, StopHandle};
use thaw_train::run_dir::Place;

/// Arguments of `host find-lr`.
#[derive(Args)]
pub struct FindLrArgs {
    #[command(flatten)]
    start: StartArgs,
    /// The epoch, from 0, in whose state the test is made: what trains then, in which groups. Default: the
    /// run's next one.
    #[arg(long, value_name = "N")]
    epoch: Option<usize>,
    /// Tests each group by itself, the others held still. Else all rates move together and keep their ratios.
    #[arg(long)]
    per_group: bool,
    /// Rate of the first step.
    #[arg(long, value_name = "RATE", default_value_t = FindLr::default().min_lr)]
    min_lr: f64,
    /// Rate of the last step.
    #[arg(long, value_name = "RATE", default_value_t = FindLr::default().max_lr)]
    max_lr: f64,
    /// Optimizer steps.
    #[arg(long, value_name = "STEPS", default_value_t = FindLr::default().num_training)]
    num_training: usize,
    /// How the rate grows: exponential or linear.
    #[arg(long, default_value = "exponential", value_parser = growth)]
    mode: Growth,
    /// Ends the test when the smoothed loss exceeds its minimum this many times; inf for never.
    #[arg(long, value_name = "TIMES", default_value_t = FindLr::default().early_stop_threshold)]
    early_stop_threshold: f64,
    /// Points at the beginning that are no suggestion.
    #[arg(long, value_name = "POINTS", default_value_t = FindLr::default().skip_begin)]
    skip_begin: usize,
    /// Points at the end that are no suggestion.
    #[arg(long, value_name = "POINTS", default_value_t = FindLr::default().skip_end)]
    skip_end: usize,
    /// Writes the curves as PATH.csv and PATH.svg. Default: lr-<config name>.
    #[arg(long, value_name = "PATH")]
    output: Option<PathBuf>,
}

/// Runs a range test and writes its curves; nothing else is written.
///
/// # Errors
/// What ended the test.
pub fn run(options: &Options, args: FindLrArgs) -> Result<(), Error> {
    let (config, resume) = args.start.read(None)?;
    let output = args.output.unwrap_or_else(|| PathBuf::from(format!("lr-{}", config.name())));
    let settings = FindLr {
        epoch: args.epoch,
        per_group: args.per_group,
        min_lr: args.min_lr,
        max_lr: args.max_lr,
        num_training: args.num_training,
        mode: args.mode,
        early_stop_threshold: args.early_stop_threshold,
        skip_begin: args.skip_begin,
        skip_end: args.skip_end,
    };
    let (csv_file, svg_file) = (with_ending(&output, "csv"), with_ending(&output, "svg"));
    let inputs = Inputs::default().config(&config);
    [&csv_file, &svg_file].into_iter().try_for_each(|file| inputs.refuse("--output", file))?;
    let device = session::device(&config.trainer.device)?;
    let plugins = run_plugins::load(options, &config, resume.as_ref(), Needs::Everything)?;
    let stop = session::watch_interrupts();
    let found = test(config, plugins, device, resume, &settings, options.quiet, &stop)?;
    let csv = found.to_csv()?;
    let svg = found.to_svg()?;
    durable::write(&csv_file, &csv).map_err(io(&csv_file))?;
    durable::write(&svg_file, svg.as_bytes()).map_err(io(&svg_file))?;
    print(format_args!(
        "rates at the start of epoch {} (from 0), and those at which the loss falls most steeply\n{}",
        found.epoch,
        found.text()
    ))?;
    print(format_args!("{}\n{}", csv_file.display(), svg_file.display()))
}

/// A range test on a run that writes into a folder which is gone afterwards.
///
/// # Errors
/// What ended the test.
pub fn test(
    config: RunConfig,
    plugins: PluginSet,
    device: Device,
    resume: Option<Checkpoint>,
    settings: &FindLr,
    quiet: bool,
    stop: &StopHandle,
) -> Result<FoundLr, Error> {
    let folder = tempfile::tempdir().map_err(io(std::env::temp_dir()))?;
    let run_dir = folder.path().join("run");
    let mut fit = Fit::build(
        config,
        plugins,
        device,
        FitOptions { resume, stop: stop.clone(), ..FitOptions::new(Place::Given(run_dir)) },
    )?;
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr_with_hz(10) };
    let bar = ProgressBar::with_draw_target(None, target);
    bar.set_style(
        ProgressStyle::with_template("range test {bar:24} {pos}/{len}")
            .unwrap_or_else(|_| ProgressStyle::default_bar()),
    );
    let found = fit.find_lr(settings, &mut |step, steps| {
        bar.set_length(steps as u64);
        bar.set_position(step as u64);
    });
    bar.finish_and_clear();
    fit.close();
    Ok(found?)
}

/// The run config with the rate that a range test suggests; as it was where it suggests none.
///
/// # Errors
/// What ended the test, or a run config without an optimizer.
pub fn with_suggestion(
    config: RunConfig,
    plugins: PluginSet,
    device: Device,
    quiet: bool,
    stop: &StopHandle,
) -> Result<RunConfig, Error> {
    let Some(before) = config.optimizer.as_ref().map(|optimizer| optimizer.lr) else {
        return Err(FindLrError::NoOptimizer.into());
    };
    let found = test(config.clone(), plugins, device, None, &FindLr::default(), quiet, stop)?;
    let suggested = found.suggestions().first().and_then(|(_, lr)| *lr);
    let (Some(suggested), Some(group)) = (suggested, found.groups.first()) else {
        tracing::warn!("--find-lr: the loss does not fall at any rate; optimizer.lr stays {before}");
        return Ok(config);
    };
    // A strategy may have given the first group another rate than the optimizer's.
    let set = format!("optimizer.lr={:.3e}", before * suggested / group.initial_lr);
    tracing::info!("--find-lr: {set}, instead of {before}");
    Ok(RunConfig::from_table(&config.path, config.table, &[set])?)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}

fn growth(text: &str) -> Result<Growth, String> {
    Growth::from_value(&text.into(), &Key::root())
        .map_err(|_| "expected `exponential` or `linear`".to_owned())
}
