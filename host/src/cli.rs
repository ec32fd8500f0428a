//! The command line: options, commands, exit codes.

mod ask;
mod cache;
mod classes;
mod completions;
mod evaluation;
mod export;
mod find_batch_size;
mod find_lr;
mod fit;
mod log;
mod logging;
mod man;
mod outputs;
mod plan;
mod plugin;
mod predict;
mod ranks;
mod report;
mod run_plugins;
mod runs;
mod schema;
mod session;
mod split;
mod start;
mod swap;
mod sweep;
mod test;
mod trained;
#[cfg(unix)]
mod unexpected_end;
mod validate;
mod watch;

use std::fmt::Display;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::Error;
use crate::width::wrapped_for_stderr;

#[cfg(unix)]
pub use unexpected_end::{exit, exit_at_once};

/// Fine-tunes pretrained PyTorch models, with strategies and models loaded as plugins.
#[derive(Parser)]
#[command(name = "host", version, about, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    options: Options,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Loads a plugin: a file, or a name that is looked for. Before those of the run config.
    #[arg(long = "plugin", value_name = "FILE|NAME", global = true)]
    plugins: Vec<String>,
    /// Looks for plugins in this folder, before $THAW_PLUGIN_PATH and the program's own folder.
    #[arg(long = "plugin-dir", value_name = "DIR", global = true)]
    plugin_dirs: Vec<PathBuf>,
    /// Refuses plugins that others can change: a file, or a folder or link on the way to it, that somebody
    /// besides this user and root owns or may write.
    #[arg(long, global = true)]
    strict_plugins: bool,
    /// Says more (twice: everything).
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// Says only what goes wrong.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Trains a model as a run config says.
    Fit(fit::FitArgs),
    /// Tests learning rates on a run's data; suggests one for each group.
    FindLr(find_lr::FindLrArgs),
    /// Repeats the validation of a checkpoint.
    Validate(validate::ValidateArgs),
    /// Evaluates a checkpoint on all samples of a test set.
    Test(test::TestArgs),
    /// Predicts with a checkpoint; writes a row per sample.
    Predict(predict::PredictArgs),
    /// Writes a checkpoint's weights as .safetensors that PyTorch loads.
    Export(export::ExportArgs),
    /// Shows what trains at which rate in which epoch, without data.
    Plan(plan::PlanArgs),
    /// Prints the JSON Schema of run configs, for editors.
    Schema(schema::SchemaArgs),
    /// Writes the report of a run, live or over: curves, what trained when, classes, config.
    Report(report::ReportArgs),
    /// Lists the runs of a folder, or compares some.
    Runs(runs::RunsArgs),
    /// Does what loggers of a run left undone.
    Log(log::LogArgs),
    /// Shows a run, live or over, on the terminal; keys ask it to stop, for a checkpoint, for a validation.
    Watch(watch::WatchArgs),
    /// Asks a live run to stop after its epoch, to write a checkpoint, or to validate.
    Ask(ask::AskArgs),
    /// Trains a run config with other values of some keys, and compares the runs.
    Sweep(sweep::SweepArgs),
    /// Replaces the strategy of a live run at its next epoch.
    Swap(swap::SwapArgs),
    /// Writes, checks, pins, lists and shows plugins.
    Plugin(plugin::PluginArgs),
    /// Lists or clears what frozen stages of models gave, which runs share.
    Cache(cache::CacheArgs),
    /// Prints what a shell completes commands and options with.
    Completions(completions::CompletionsArgs),
    /// Writes manual pages.
    Man(man::ManArgs),
}

/// Runs the program; gives its exit code: 0 done, 1 the run failed, 2 usage or config, 3 a plugin was refused
/// or failed, 130 interrupted.
pub fn main() -> u8 {
    let cli = Cli::parse();
    logging::init(&cli.options);
    if !matches!(cli.command, Some(Command::Fit(_))) {
        logging::say_what_waits();
    }
    session::ignore_file_size_signal();
    #[cfg(unix)]
    unexpected_end::watch();
    if cli.options.strict_plugins {
        thaw_plugins::be_strict();
    }
    if let Err(error) = refuse_several(cli.command.as_ref()) {
        tell_error(&error, &cli.options);
        return error.exit_code();
    }
    let result = match cli.command {
        Some(Command::Fit(args)) => fit::run(&cli.options, args),
        Some(Command::FindLr(args)) => find_lr::run(&cli.options, args),
        Some(Command::Validate(args)) => validate::run(&cli.options, args),
        Some(Command::Test(args)) => test::run(&cli.options, args),
        Some(Command::Predict(args)) => predict::run(&cli.options, args),
        Some(Command::Export(args)) => export::run(&cli.options, args),
        Some(Command::Plan(args)) => plan::run(&cli.options, args),
        Some(Command::Schema(args)) => schema::run(&cli.options, &args),
        Some(Command::Report(args)) => report::run(&cli.options, &args),
        Some(Command::Runs(args)) => runs::run(&cli.options, &args),
        Some(Command::Log(args)) => log::run(args),
        Some(Command::Watch(args)) => watch::run(&args),
        Some(Command::Ask(args)) => ask::run(&cli.options, args),
        Some(Command::Sweep(args)) => sweep::run(&cli.options, args),
        Some(Command::Swap(args)) => swap::run(&cli.options, args),
        Some(Command::Cache(args)) => cache::run(&args),
        Some(Command::Completions(args)) => completions::run(&args),
        Some(Command::Man(args)) => man::run(&cli.options, &args),
        Some(Command::Plugin(args)) => plugin::run(&cli.options, args),
        None if cli.options.plugins.is_empty() => return usage(),
        None => plugin::show_named(&cli.options),
    };
    match result {
        Ok(()) => 0,
        // What there is to say of it is said: it is no error.
        Err(error) if error.is_interrupt() => error.exit_code(),
        Err(error) => {
            ranks::write_error_file(&error);
            if error.is_told() {
                tracing::error!("{error}");
            } else {
                logging::say_what_waits();
                tell_error(&error, &cli.options);
            }
            error.exit_code()
        }
    }
}

/// What works on data or a model for itself is not to be done by each of several processes.
fn refuse_several(command: Option<&Command>) -> Result<(), Error> {
    let name = match command {
        Some(Command::Validate(_)) => "validate",
        Some(Command::Test(_)) => "test",
        Some(Command::Predict(_)) => "predict",
        Some(Command::FindLr(_)) => "find-lr",
        Some(Command::Export(_)) => "export",
        Some(Command::Sweep(_)) => "sweep",
        _ => return Ok(()),
    };
    match ranks::processes() {
        0 | 1 => Ok(()),
        several => Err(Error::Usage(format!(
            "host {name} works in one process, and the launcher says that there are {several} \
             (WORLD_SIZE={several}, or Slurm's tasks): start it without the launcher"
        ))),
    }
}

/// No command and nothing to show: says what there is.
fn usage() -> u8 {
    let _ = Cli::command().print_help();
    2
}

fn tell_error(error: &Error, options: &Options) {
    tell(format_args!("error: {error}"));
    if let (Error::Train(thaw_train::Error::Plugin(error)), true) = (error, options.verbose > 0)
        && let Some(details) = error.details()
    {
        tell(format_args!("\n{details}"));
    }
}

/// Answers on standard output.
///
/// # Errors
/// The answer is lost.
pub(crate) fn print(text: impl Display) -> Result<(), Error> {
    Ok(thaw_terminal::stdout::print(text)?)
}

/// This program as it was called, for commands to be copied.
fn program() -> String {
    std::env::args_os()
        .next()
        .map_or_else(|| "host".to_owned(), |called| called.to_string_lossy().into_owned())
}

/// Seconds of an option.
fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "expected a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

/// Says something on standard error; where nobody reads it, nobody is told.
fn tell(text: impl Display) {
    let text = text.to_string();
    let text = wrapped_for_stderr(&text, 2);
    let _ = writeln!(std::io::stderr(), "{}", thaw_terminal::escape::output(&text));
}
