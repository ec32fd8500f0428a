//! A run as plain text.

use super::{Part, Snapshot};
use crate::progress::duration;
use thaw_terminal::{aligned, number, sparkline};

/// Width of a curve.
const CURVE: usize = 24;
/// Newest warnings and events that are shown.
const NEWEST: usize = 5;

/// Everything there is to see, in lines.
pub fn text(snapshot: &Snapshot) -> String {
    let mut lines = vec![format!("run        {} ({})", snapshot.name, snapshot.state)];
    lines.push(format!("progress   {}", progress(snapshot)));
    if let Some((metric, epoch, value)) = &snapshot.best {
        lines.push(format!("best       {metric} {} in epoch {epoch}", number(*value)));
    }
    lines.extend(curves(snapshot));
    let groups = snapshot.groups.iter().map(|(name, lr)| format!("{} {}", aligned::name(name), rate(*lr)));
    let groups: Vec<String> = groups.collect();
    if !groups.is_empty() {
        lines.push(format!("groups     {}", groups.join(", ")));
    }
    let width = aligned::widest(snapshot.parts.iter().map(|part| aligned::name(&part.path)));
    for (place, part) in snapshot.parts.iter().enumerate() {
        let head = if place == 0 { "trains     " } else { "           " };
        lines.push(format!("{head}{}  {}", aligned::left(&aligned::name(&part.path), width), share(part)));
    }
    lines.extend(newest("events", &snapshot.events));
    lines.extend(newest("warnings", &snapshot.warnings));
    lines.join("\n")
}

/// How far the run is.
pub(super) fn progress(snapshot: &Snapshot) -> String {
    let (done, all) = snapshot.epochs;
    let of = all.map(|all| format!(" of {all}")).unwrap_or_default();
    let time = snapshot.seconds.map(|seconds| format!(", {}", duration(seconds))).unwrap_or_default();
    format!("{done}{of} epochs, step {}{time}", snapshot.step)
}

/// What of a part trains.
pub(super) fn share(part: &Part) -> String {
    match part.trains {
        (0, _) => "frozen".to_owned(),
        (trains, all) if trains == all => "all".to_owned(),
        (trains, all) => format!("{trains} of {all}"),
    }
}

/// A group's rate.
pub(super) fn rate(lr: Option<f64>) -> String {
    lr.map_or("no number".to_owned(), |lr| format!("{lr:.3e}"))
}

fn curves(snapshot: &Snapshot) -> Vec<String> {
    let sides = snapshot.curves.iter().flat_map(|curve| {
        let side = |name: &str, points: &[(f64, f64)]| {
            let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
            let (first, last) = (*values.first()?, *values.last()?);
            let name = aligned::name(&format!("{}{name}", curve.name)).into_owned();
            let curve = aligned::left(&sparkline(&values, CURVE), CURVE);
            Some((name, format!("{curve}  {} to {}", number(first), number(last))))
        };
        [side(", training", &curve.train), side(", validation", &curve.val)].into_iter().flatten()
    });
    let sides: Vec<(String, String)> = sides.collect();
    let width = aligned::widest(sides.iter().map(|(name, _)| name));
    let line = |(place, (name, curve)): (usize, &(String, String))| {
        let head = if place == 0 { "curves     " } else { "           " };
        format!("{head}{}  {curve}", aligned::left(name, width))
    };
    sides.iter().enumerate().map(line).collect()
}

fn newest(what: &str, texts: &[String]) -> Vec<String> {
    let hidden = texts.len().saturating_sub(NEWEST);
    let head = aligned::left(what, 11);
    let mut lines: Vec<String> = Vec::new();
    if hidden > 0 {
        lines.push(format!("{head}{hidden} earlier ones, which the report has"));
    }
    for text in &texts[hidden..] {
        let head = if lines.is_empty() { head.as_str() } else { "           " };
        lines.push(format!("{head}{text}"));
    }
    lines
}
