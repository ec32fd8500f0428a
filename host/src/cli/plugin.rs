//! `host plugin …`: what an author and a user of plugins need around them.

mod check;
mod inspect;
mod list;
mod lock;
mod new;

use clap::{Args, Subcommand};

pub(super) use inspect::pretty;
pub(super) use list::{Found, plugins_in};

use super::Options;
use crate::Error;

/// Arguments of `host plugin`.
#[derive(Args)]
pub struct PluginArgs {
    #[command(subcommand)]
    command: PluginCommand,
}

#[derive(Subcommand)]
enum PluginCommand {
    /// Lists the plugins that the search path offers.
    List(list::ListArgs),
    /// Shows what a plugin offers: ids, versions, parameters.
    Inspect(inspect::InspectArgs),
    /// Checks that a plugin keeps what host, run and author rely on.
    Check(check::CheckArgs),
    #[command(hide = true)]
    RunCheck(check::RunCheckArgs),
    /// Pins the plugins of a run config to the files there are now.
    Lock(lock::LockArgs),
    /// Writes a new plugin crate that builds, tests and runs.
    New(new::NewArgs),
}

/// Runs `host plugin …`.
///
/// # Errors
/// Those of the command.
pub fn run(options: &Options, args: PluginArgs) -> Result<(), Error> {
    match args.command {
        PluginCommand::List(args) => list::run(options, &args),
        PluginCommand::Inspect(args) => inspect::run(options, &args),
        PluginCommand::Check(args) => check::run(options, &args),
        PluginCommand::RunCheck(args) => check::run_one(&args),
        PluginCommand::Lock(args) => lock::run(options, &args),
        PluginCommand::New(args) => new::run(&args),
    }
}

/// `host --plugin FILE` without a command: what the files offer.
///
/// # Errors
/// A plugin that is not found or refused.
pub fn show_named(options: &Options) -> Result<(), Error> {
    inspect::show(options, &options.plugins)
}
