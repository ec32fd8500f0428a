//! The run in a few numbers.

use std::fmt::Write as _;

use crate::chart::{number, seconds};
use crate::escape::escape;
use crate::run::{Run, RunState, epoch_times};

/// Name, state and the numbers that matter most.
pub(super) fn section(run: &Run) -> String {
    let why = match &run.state {
        RunState::Done(reason) => reason.clone().unwrap_or_default(),
        RunState::Failed(error) => error.clone(),
        RunState::Gone => "No process trains here, and none has recorded how it ended.".to_owned(),
        RunState::Running | RunState::Interrupted => String::new(),
    };
    let word = run.state.word();
    let mut html = format!(
        "<header><div class=\"head\"><h1>{}</h1><span class=\"state {word}\">{word}</span></div>\n",
        escape(&run.name)
    );
    if !why.is_empty() {
        let _ = writeln!(html, "<p class=\"why\">{}</p>", escape(&why));
    }
    html += "<dl class=\"tiles\">\n";
    for (name, value, more) in tiles(run) {
        let more = if more.is_empty() { more } else { format!("<small>{}</small>", escape(&more)) };
        let _ = writeln!(html, "<div><dt>{}</dt><dd>{}{more}</dd></div>", escape(&name), escape(&value));
    }
    html += "</dl></header>\n";
    for note in &run.notes {
        let _ = writeln!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html
}

/// Name, value, and what is to be said of it.
fn tiles(run: &Run) -> Vec<(String, String, String)> {
    let mut tiles = Vec::new();
    let mut tile = |name: &str, value: String, more: String| tiles.push((name.to_owned(), value, more));
    if let Some((epoch, value)) = run.best() {
        tile(&format!("best {}", run.ranking().0), number(value), format!("in epoch {}", epoch + 1));
    }
    let accuracy = run.of_epochs("val_acc");
    if let Some((epoch, value)) = accuracy.last().filter(|_| run.ranking().0 != "val_acc") {
        tile("last val_acc", number(*value), format!("in epoch {}", epoch + 1));
    }
    let of = run.max_epochs().map(|all| format!("of {all}")).unwrap_or_default();
    tile("epochs", run.epochs().to_string(), of);
    if let Some(step) = run.metrics.iter().map(|record| record.step).max() {
        tile("steps", step.to_string(), String::new());
    }
    if let Some(time) = run.seconds() {
        tile("time", seconds(time), String::new());
    }
    let speeds: Vec<f64> = epoch_times(run).iter().filter_map(|time| time.samples_per_second()).collect();
    if let Some(last) = speeds.last() {
        tile("samples/s", number((last * 10.0).round() / 10.0), "of the last epoch".to_owned());
    }
    let model = run.key("model", "id").and_then(toml::Value::as_str).unwrap_or_default();
    let device = run.started().map(|started| format!("on {}", started.device)).unwrap_or_default();
    tile("model", model.to_owned(), device);
    tiles
}
