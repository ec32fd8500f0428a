//! Colours of the thaw chart, and what they mean.

use std::fmt::Write as _;

use super::cells::{Cell, Norm};
use super::rows::Row;
use crate::chart::number;

/// Rates to steps of colour: the least of the run is the lightest.
pub(super) struct Steps {
    low: f64,
    high: f64,
}

impl Steps {
    pub(super) fn of(rows: &[Row]) -> Self {
        let rates = rows.iter().flat_map(|row| &row.cells).filter_map(|cell| cell.rate());
        let rates = rates.filter(|rate| *rate > 0.0 && rate.is_finite());
        let (low, high) =
            rates.fold((f64::INFINITY, 0.0_f64), |(low, high), rate| (low.min(rate), high.max(rate)));
        Self { low, high }
    }

    pub(super) fn class(&self, cell: Cell) -> &'static str {
        const CLASSES: [&str; 7] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6"];
        match cell.rate() {
            None => "frozen",
            Some(rate) if rate <= 0.0 || !rate.is_finite() => CLASSES[0],
            Some(_) if self.low >= self.high => CLASSES[4],
            Some(rate) => {
                let share = (rate / self.low).ln() / (self.high / self.low).ln();
                CLASSES[((share * 6.0).round() as usize).min(6)]
            }
        }
    }
}

/// Class of the colour of a batch norm's mode.
pub(super) fn norm_class(norm: Norm) -> &'static str {
    match norm {
        Norm::Train => "n-train",
        Norm::BatchStats => "n-batch",
        Norm::Eval | Norm::Mixed => "n-eval",
    }
}

/// What colours mean, those that are there.
pub(super) fn of(rows: &[Row]) -> String {
    let steps = Steps::of(rows);
    let mut html = "<p class=\"legend\"><span><i class=\"frozen\"></i>frozen</span>".to_owned();
    if steps.high > 0.0 {
        let (low, high) = (number(steps.low), number(steps.high));
        if steps.low == steps.high {
            let _ = write!(html, "<span><i class=\"r4\"></i>trains at rate {low}</span>");
        } else {
            let ramp: String = (0..7).map(|step| format!("<i class=\"r{step}\"></i>")).collect();
            let _ = write!(html, "<span>rate {low} <span class=\"ramp\">{ramp}</span> {high}</span>");
        }
    }
    let is_partly = |cell: &Cell| matches!(cell, Cell::Partly { .. });
    if rows.iter().flat_map(|row| &row.cells).any(is_partly) {
        html += "<span>striped: trains in part</span>";
    }
    let modes = || rows.iter().filter_map(|row| row.norms.as_ref()).flatten().map(|norm| norm.0);
    for (mode, text) in [
        (Norm::Train, "batch norm by the batch, updating statistics"),
        (Norm::BatchStats, "batch norm by the batch, statistics stay"),
        (Norm::Eval, "batch norm by stored statistics"),
    ] {
        if modes().any(|found| found == mode) {
            let _ = write!(html, "<span><i class=\"{}\"></i>{text}</span>", norm_class(mode));
        }
    }
    html + "</p>"
}
