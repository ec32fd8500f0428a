//! `host runs`: runs beside each other.

mod compare;
mod filter;
mod list;
mod order;
mod table;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::Options;
use crate::Error;
use crate::width::print_wrapped;
use filter::Filter;
pub(super) use list::print_all;
use order::Order;
pub(super) use table::lines;
use thaw_report::runs::{Found, in_folder};

/// Arguments of `host runs`.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    /// A folder of run directories.
    #[arg(value_name = "DIR", default_value = "runs")]
    dir: PathBuf,
    /// `name`, `state`, `epochs`, `time`, or a metric, of which the best value then stands first.
    #[arg(long, value_name = "BY", default_value = "name")]
    sort: Order,
    /// Lists runs in this state, or whose config has this: `state=done`, `optimizer.lr=0.001`. May be given
    /// several times.
    #[arg(long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<Filter>,
    /// Prints one JSON array.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Option<RunsCommand>,
}

#[derive(Subcommand)]
enum RunsCommand {
    /// Compares runs: a table, and a page of their curves over each other.
    Compare(compare::CompareArgs),
}

/// Lists the runs of a folder, or compares some.
///
/// # Errors
/// There is no run, or what compares them cannot be written.
pub fn run(options: &Options, args: &RunsArgs) -> Result<(), Error> {
    if let Some(RunsCommand::Compare(args)) = &args.command {
        return compare::run(options, args);
    }
    let mut runs = read(&args.dir)?;
    args.filters.iter().try_for_each(|filter| filter.check(&runs))?;
    let all = runs.len();
    runs.retain(|found| args.filters.iter().all(|filter| filter.takes(found)));
    if runs.is_empty() && !args.json {
        let shown: Vec<String> = args.filters.iter().map(Filter::to_string).collect();
        let (runs, of) = (if all == 1 { "run" } else { "runs" }, args.dir.display());
        return Ok(print_wrapped(
            format_args!("none of the {all} {runs} in {of} has {}", shown.join(" and ")),
            4,
        )?);
    }
    args.sort.sort(&mut runs)?;
    list::print_all(&runs, args.sort.metric(), args.json)
}

/// The runs of a folder; those that cannot be read are warned of.
fn read(folder: &Path) -> Result<Vec<Found>, Error> {
    let (runs, errors) = in_folder(folder)?;
    for error in errors {
        tracing::warn!("left out: {error}");
    }
    if runs.is_empty() {
        let shown = folder.display();
        return Err(Error::Usage(format!(
            "{shown}: there is no run in it; name a folder of run directories"
        )));
    }
    Ok(runs)
}

/// A run as JSON: where it is, how far it is, its best epoch by `metric` or what ranks its checkpoints, and
/// `settings` that are its own.
pub(super) fn object(found: &Found, metric: Option<&str>, settings: Map<String, Value>) -> Value {
    let (ranking, _) = found.run.ranking();
    let metric = metric.unwrap_or(&ranking);
    let best = found.run.best_of(metric).map(|(epoch, value)| json!({ "epoch": epoch + 1, "value": value }));
    json!({
        "name": found.run.name,
        "path": found.path.to_string_lossy(),
        "state": found.run.state.word(),
        "resumable": found.is_resumable(),
        "epochs": found.run.epochs(),
        "max_epochs": found.run.max_epochs(),
        "seconds": found.run.seconds(),
        "metric": metric,
        "best": best,
        "settings": settings,
    })
}
