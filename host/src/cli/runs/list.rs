//! Runs as a table.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::object;
use super::table::lines;
use crate::Error;
use crate::cli::print;
use crate::width;
use thaw_report::runs::{Found, differing};
use thaw_report::seconds;
use thaw_terminal::{aligned, number};

/// Prints a line for each run: name, state, epochs, time, the best epoch by `metric` or what ranks its
/// checkpoints, and what its config has that others have not.
///
/// # Errors
/// The answer is lost.
pub(in crate::cli) fn print_all(runs: &[Found], metric: Option<&str>, json: bool) -> Result<(), Error> {
    let settings = differing(runs);
    if json {
        let of_run = |(found, settings): (&Found, &BTreeMap<String, String>)| {
            let settings: Map<String, Value> =
                settings.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
            object(found, metric, settings)
        };
        let objects: Vec<Value> = runs.iter().zip(&settings).map(of_run).collect();
        return print(json!(objects));
    }
    let rows = runs.iter().zip(&settings).map(|(found, settings)| row(found, metric, settings));
    let header = ["run", "state", "epochs", "time", "best", "config"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(rows).collect();
    lines(&rows, width::of_stdout()).into_iter().try_for_each(print)
}

fn row(found: &Found, metric: Option<&str>, settings: &BTreeMap<String, String>) -> [String; 6] {
    let run = &found.run;
    let (ranking, _) = run.ranking();
    let metric = metric.unwrap_or(&ranking);
    let best = found.run.best_of(metric);
    let best = best.map(|(epoch, value)| format!("{metric} {} in epoch {}", number(value), epoch + 1));
    let state = run.state.word();
    let state = if found.is_resumable() { format!("{state}, resumable") } else { state.to_owned() };
    let of = run.max_epochs().map(|all| format!("/{all}")).unwrap_or_default();
    // All of them: a row that ends in the middle of what was asked for says nothing.
    let settings = settings.iter().map(|(key, value)| aligned::name(&format!("{key}={value}")).into_owned());
    [
        aligned::name(&run.name).into_owned(),
        state,
        format!("{}{of}", run.epochs()),
        run.seconds().map(seconds).unwrap_or_default(),
        aligned::name(&best.unwrap_or_default()).into_owned(),
        settings.collect::<Vec<_>>().join(" "),
    ]
}
