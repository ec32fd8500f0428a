//! `host plugin check`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::Value;
use thaw_plugin_api::abi::Kind;

use super::Options;
use super::inspect::pretty;
use crate::Error;
use crate::cli::print;
use thaw_check::{self, Checked, Report, Suite};
use thaw_plugins::{PluginError, SearchPath};

/// Arguments of `host plugin check`.
#[derive(Args)]
pub struct CheckArgs {
    /// The plugin: a file, or a name that is looked for.
    #[arg(value_name = "FILE|NAME", required_unless_present = "list")]
    file: Option<String>,
    /// Lists the checks and runs none.
    #[arg(long)]
    list: bool,
    /// Prints one JSON object.
    #[arg(long)]
    json: bool,
    /// Runs these checks alone.
    #[arg(long, value_name = "CHECK", value_delimiter = ',')]
    only: Vec<String>,
    /// Looks at these ids alone.
    #[arg(long = "id", value_name = "ID", value_delimiter = ',')]
    ids: Vec<String>,
    /// Keys of the ids' configuration, as TOML or JSON or in a file of either; for keys without a default.
    #[arg(long, value_name = "TOML|JSON|FILE")]
    config: Option<String>,
    /// What random values follow from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Time limit of each check, in seconds; without it 60, for models 240.
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    /// Checks at a time; without it one for each core, four at most.
    #[arg(long, short, value_name = "N")]
    jobs: Option<usize>,
    /// Runs every check on every model, also on those of the same keys as another one.
    #[arg(long)]
    all: bool,
    /// Takes warnings for failures.
    #[arg(long)]
    strict: bool,
}

/// Runs `host plugin check`.
///
/// # Errors
/// No such plugin, check or id, or a check that failed.
pub fn run(options: &Options, args: &CheckArgs) -> Result<(), Error> {
    let Some(file) = args.file.as_ref().filter(|_| !args.list) else {
        return print(list());
    };
    let path = SearchPath::of_process(&options.plugin_dirs).find(file, Path::new(""))?;
    check_names("check", "--only", &args.only, thaw_check::all().map(|check| check.id))?;
    let started = Instant::now();
    let suite = Suite::new(&path, suite_options(args)?)?;
    if let Some(metadata) = suite.metadata() {
        check_names("id", "--id", &args.ids, metadata.items.iter().map(|item| item.id.as_str()))?;
    }
    let checked = if args.json {
        suite.run(|_| {})
    } else {
        print(thaw_check::head(&suite))?;
        let (mut last, mut told) = (None, Ok(()));
        let checked = suite.run(|checked| {
            if told.is_ok() {
                told = tell(&suite, checked, &mut last);
            }
        });
        told?;
        checked
    };
    let report = Report::new(&suite, checked, started.elapsed().as_secs_f64());
    print(if args.json { pretty(&report.to_json()) } else { report.summary() })?;
    match report.failures(args.strict) {
        0 => Ok(()),
        failed => Err(PluginError::Checks { path, failed, run: report.ran() }.into()),
    }
}

fn tell(suite: &Suite, checked: &Checked, last: &mut Option<Option<(Kind, String)>>) -> Result<(), Error> {
    if last.as_ref() != Some(&checked.item) {
        let heading =
            checked.item.as_ref().map_or_else(|| "file".to_owned(), |(kind, id)| format!("{kind} {id}"));
        print(format_args!("\n{heading}"))?;
        *last = Some(checked.item.clone());
    }
    print(thaw_check::lines(suite, checked))
}

fn list() -> String {
    let rows = thaw_check::all()
        .map(|check| format!("{:<24} {:<19} {}", check.id, check.subject(), check.description));
    rows.collect::<Vec<_>>().join("\n")
}

fn suite_options(args: &CheckArgs) -> Result<thaw_check::Options, Error> {
    let timeout = args.timeout.map(|seconds| {
        let duration = Duration::try_from_secs_f64(seconds).ok().filter(|duration| !duration.is_zero());
        duration.ok_or_else(|| usage(format!("--timeout is {seconds}, expected a number of seconds above 0")))
    });
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(thaw_check::Options {
        seed: args.seed,
        only: args.only.clone(),
        ids: args.ids.clone(),
        config: args.config.as_deref().map_or_else(|| Ok(Value::Object(Default::default())), config)?,
        timeout: timeout.transpose()?,
        jobs: args.jobs.unwrap_or(cores.min(4)),
        all: args.all,
    })
}

/// A table from the command line, or from the file that it names.
fn config(given: &str) -> Result<Value, Error> {
    let path = PathBuf::from(given);
    let text = if path.is_file() {
        std::fs::read_to_string(&path).map_err(crate::error::io(path))?
    } else {
        given.to_owned()
    };
    let json = serde_json::from_str(&text).ok().filter(Value::is_object);
    json.map_or_else(
        || {
            toml::from_str(&text).map_err(|error| {
                usage(format!("--config is neither a file, nor a table in JSON or TOML: {error}"))
            })
        },
        Ok,
    )
}

fn check_names<'n>(
    what: &str,
    option: &str,
    given: &[String],
    known: impl Iterator<Item = &'n str> + Clone,
) -> Result<(), Error> {
    let Some(unknown) = given.iter().find(|name| !known.clone().any(|known| known == name.as_str())) else {
        return Ok(());
    };
    let hint = match thaw_plugin_api::nearest(unknown, known.clone()) {
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None => format!("; there are: {}", known.collect::<Vec<_>>().join(", ")),
    };
    Err(usage(format!("{option}: there is no {what} `{unknown}`{hint}")))
}

fn usage(message: String) -> Error {
    Error::Usage(message)
}

/// Arguments of the hidden command that a check runs in.
#[derive(Args)]
pub struct RunCheckArgs {
    /// What to do; without it, jobs are read from standard input.
    job: Option<String>,
}

/// Runs one check, as `host plugin check` asks for in a process of its own.
///
/// # Errors
/// A text that is no job.
pub fn run_one(args: &RunCheckArgs) -> Result<(), Error> {
    thaw_check::run_job(args.job.as_deref()).map_err(usage)
}
