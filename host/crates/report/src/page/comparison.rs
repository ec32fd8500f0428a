//! Runs over each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{colour, document, section as titled};
use crate::chart::{Line, LineChart, number, seconds};
use crate::escape::escape;
use crate::runs::{Found, differing};

/// The whole page: the runs in a table, what differs in their configs, and a chart of each metric with a line
/// for each run. As the page of a run, it has no scripts and depends on the records alone.
pub fn render_comparison(runs: &[Found]) -> String {
    let sections = [
        format!("<header><div class=\"head\"><h1>{} runs</h1></div></header>\n", runs.len()),
        titled("runs", "Runs", &table(runs)),
        titled("settings", "What differs in their configs", &settings(runs)),
        titled("curves", "Curves", &curves(runs)),
    ];
    document(&format!("{} runs", runs.len()), &sections.concat())
}

/// The name of a run; its path where others have the same.
fn name(runs: &[Found], found: &Found) -> String {
    let alike = runs.iter().filter(|other| other.run.name == found.run.name).count();
    if alike > 1 { found.path.to_string_lossy().into_owned() } else { found.run.name.clone() }
}

fn mark(index: usize, of: usize) -> String {
    format!("<p class=\"legend\"><span><i class=\"{}\"></i></span></p>", colour(index, of))
}

fn table(runs: &[Found]) -> String {
    let mut html = "<div class=\"card scroll\"><table><thead><tr><th></th><th>run</th><th>state</th><th \
                    class=\"n\">epochs</th><th class=\"n\">time</th><th>best</th></tr></thead><tbody>\n"
        .to_owned();
    for (index, found) in runs.iter().enumerate() {
        let run = &found.run;
        let best = run.best().map_or_else(String::new, |(epoch, value)| {
            format!("{} {} in epoch {}", run.ranking().0, number(value), epoch + 1)
        });
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"{2}\">{2}</td><td class=\"n\">{3}</td><td \
             class=\"n\">{4}</td><td>{5}</td></tr>",
            mark(index, runs.len()),
            escape(&name(runs, found)),
            run.state.word(),
            run.epochs(),
            run.seconds().map(seconds).unwrap_or_default(),
            escape(&best)
        );
    }
    html + "</tbody></table></div>\n"
}

fn settings(runs: &[Found]) -> String {
    let differing = differing(runs);
    let keys: BTreeSet<&String> = differing.iter().flat_map(BTreeMap::keys).collect();
    if keys.is_empty() {
        return "<p class=\"muted\">Nothing.</p>\n".to_owned();
    }
    let names: String = runs.iter().map(|found| format!("<th>{}</th>", escape(&name(runs, found)))).collect();
    let mut html =
        format!("<div class=\"card scroll\"><table><thead><tr><th>key</th>{names}</tr></thead><tbody>\n");
    for key in keys {
        let value = |settings: &BTreeMap<String, String>| {
            format!("<td>{}</td>", settings.get(key).map_or_else(String::new, |value| escape(value)))
        };
        let values: String = differing.iter().map(value).collect();
        let _ = writeln!(html, "<tr><td><code>{}</code></td>{values}</tr>", escape(key));
    }
    html + "</tbody></table></div>\n"
}

/// A chart of each metric that epochs of any of the runs have.
fn curves(runs: &[Found]) -> String {
    let mut metrics: Vec<&str> = Vec::new();
    for name in runs.iter().flat_map(|found| found.run.epoch_metrics()) {
        if !metrics.contains(&name) {
            metrics.push(name);
        }
    }
    metrics.sort_by_key(|name| match *name {
        "val_loss" => 0,
        "train_loss" => 1,
        name if name.starts_with("val_") => 2,
        _ => 3,
    });
    let line = |(index, found): (usize, &Found), metric: &str| {
        let values = found.run.of_epochs(metric).into_iter();
        let points = values.map(|(epoch, value)| (epoch as f64 + 1.0, value)).collect();
        Line { name: name(runs, found), class: colour(index, runs.len()), points }
    };
    let chart = |metric: &&str| {
        let lines = runs.iter().enumerate().map(|found| line(found, metric));
        let lines = lines.filter(|line| !line.points.is_empty()).collect();
        LineChart { title: metric, x_label: "epoch", lines, marks: Vec::new() }.draw()
    };
    let charts: String = metrics.iter().map(chart).collect();
    if charts.is_empty() { charts } else { format!("<div class=\"grid\">\n{charts}</div>\n") }
}
