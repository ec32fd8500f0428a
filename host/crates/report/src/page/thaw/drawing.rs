//! The drawing of the thaw chart.

use std::fmt::Write as _;

use super::cells::{Cell, Columns, Norm};
use super::legend::{Steps, norm_class};
use super::marks::Mark;
use super::rows::Row;
use crate::chart::number;
use crate::escape::{end_label, escape};

/// How wide it is drawn: the page shows the one that fits.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// Class of the drawing, and name of its pattern.
    name: &'static str,
    width: f64,
    /// Where cells begin.
    left: f64,
    /// Letters of a module's path.
    letters: usize,
    /// Epochs that have their number below.
    ticks: usize,
}

/// For windows.
pub(super) const WIDE: Format = Format { name: "wide", width: 800.0, left: 190.0, letters: 29, ticks: 16 };
/// For phones.
pub(super) const NARROW: Format = Format { name: "narrow", width: 380.0, left: 116.0, letters: 17, ticks: 7 };

const TOP: f64 = 24.0;
const BOTTOM: f64 = 36.0;
const ROW: f64 = 19.0;
const GAP: f64 = 2.0;
/// Height of what is said of batch norms, at the foot of a row.
const NORM: f64 = 5.0;
/// Numbers of more marks than these would not be read.
const NUMBERED: usize = 40;

/// Rows from the bottom to the top, epochs from the left to the right.
pub(super) fn draw(rows: &[Row], columns: &Columns<'_>, marks: &[Mark], format: Format) -> String {
    let steps = Steps::of(rows);
    let bottom = TOP + ROW * rows.len() as f64;
    let height = bottom + BOTTOM;
    let Format { name, width: whole, left, letters, .. } = format;
    let width = (whole - left - 10.0) / columns.len() as f64;
    let mut svg = format!(
        "<svg class=\"chart thaw {name}\" role=\"img\" aria-label=\"thaw chart\" \
         viewBox=\"0 0 {whole} {height}\"><defs><pattern id=\"partly-{name}\" width=\"6\" height=\"6\" \
         patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\"><line class=\"stripes\" \
         x1=\"0\" x2=\"0\" \
         y1=\"0\" y2=\"6\"/></pattern></defs>"
    );
    for (index, row) in rows.iter().rev().enumerate() {
        let y = TOP + ROW * index as f64;
        let _ = write!(
            svg,
            "<text class=\"strong\" x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{}<title>{}: {} \
             elements</title></text>",
            left - 8.0,
            y + ROW / 2.0 + 4.0,
            end_label(&row.path, letters),
            escape(&row.path),
            row.elements
        );
        svg += &drawn(row, y, (width, format), &steps, columns);
    }
    svg += &ticks(columns, (width, format), bottom);
    svg += &flags(columns, marks, (width, format), bottom);
    svg + "</svg>"
}

/// The cells of a row: neighbours that look alike are one.
fn drawn(row: &Row, y: f64, (width, format): (f64, Format), steps: &Steps, columns: &Columns<'_>) -> String {
    let mut svg = String::new();
    let look = |column: usize| {
        let norm = row.norms.as_ref().map(|norms| norms[column].0);
        (steps.class(row.cells[column]), matches!(row.cells[column], Cell::Partly { .. }), norm)
    };
    let mut start = 0;
    while start < columns.len() {
        let alike = (start..columns.len()).take_while(|column| look(*column) == look(start)).count();
        let end = start + alike;
        let (class, is_partly, norm) = look(start);
        let title = escape(&title(row, start, end - 1, columns));
        let (x, wide) =
            (format.left + width * start as f64, width * alike as f64 - if width > 6.0 { 1.0 } else { 0.0 });
        let body = if norm.is_some() { ROW - GAP - NORM } else { ROW - GAP };
        let rect = |class: &str, y: f64, height: f64, fill: &str| {
            format!(
                "<rect {class}x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" \
                 height=\"{height}\"{fill}><title>{title}</title></rect>"
            )
        };
        svg += &rect(&format!("class=\"cell {class}\" "), y, body, "");
        if is_partly {
            svg += &rect("", y, body, &format!(" fill=\"url(#partly-{})\"", format.name));
        }
        if let Some(norm) = norm {
            svg += &rect(&format!("class=\"norm {}\" ", norm_class(norm)), y + body, NORM, "");
        }
        start = end;
    }
    svg
}

/// What a cell says of its epochs.
fn title(row: &Row, first: usize, last: usize, columns: &Columns<'_>) -> String {
    let (from, to) = (columns.epoch(first) + 1, columns.epoch(last) + 1);
    let epochs = if from == to { format!("epoch {from}") } else { format!("epochs {from} to {to}") };
    let rates = |one: f64, other: f64| match one == other {
        true => format!("rate {}", number(one)),
        false => format!("rate {} to {}", number(one), number(other)),
    };
    let in_words = |first: Cell, last: Cell| match (first.rate(), last.rate()) {
        (Some(one), Some(other)) if matches!(first, Cell::Partly { .. }) => {
            format!("trains in part, highest {}", rates(one, other))
        }
        (Some(one), Some(other)) => rates(one, other),
        _ => "frozen".to_owned(),
    };
    let mut text = format!("{}, {epochs}: {}", row.path, in_words(row.cells[first], row.cells[last]));
    if let Some(norms) = &row.norms {
        let mode = match norms[first].0 {
            Norm::Train => "by the batch, updating statistics",
            Norm::BatchStats => "by the batch, statistics stay",
            Norm::Eval => "by stored statistics",
            Norm::Mixed => "in several modes",
        };
        let _ = write!(text, "; batch norms {mode}, {}", in_words(norms[first].1, norms[last].1));
    }
    text
}

fn ticks(columns: &Columns<'_>, (width, format): (f64, Format), bottom: f64) -> String {
    let mut svg = String::new();
    let every = columns.len().div_ceil(format.ticks);
    for column in (0..columns.len()).step_by(every) {
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            format.left + width * (column as f64 + 0.5),
            bottom + 14.0,
            columns.epoch(column) + 1
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">epoch</text>",
        (format.left + format.width) / 2.0,
        bottom + 29.0
    );
    svg
}

/// A line and a number for each mark; those of one epoch share it.
fn flags(columns: &Columns<'_>, marks: &[Mark], (width, format): (f64, Format), bottom: f64) -> String {
    let mut svg = String::new();
    for column in 0..columns.len() {
        let here = || marks.iter().enumerate().filter(|(_, mark)| mark.epoch == columns.epoch(column));
        let texts: Vec<&str> = here().map(|(_, mark)| mark.text.as_str()).collect();
        if texts.is_empty() {
            continue;
        }
        let numbers: Vec<String> = here().map(|(number, _)| (number + 1).to_string()).collect();
        let x = format.left + width * column as f64 - if width > 6.0 { 0.5 } else { 0.0 };
        let _ = write!(
            svg,
            "<g class=\"flag\"><line class=\"mark\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.1}\" \
             y2=\"{bottom}\"/>\
             <title>{}</title>",
            TOP - 6.0,
            escape(&texts.join("; "))
        );
        if marks.len() <= NUMBERED {
            let _ = write!(
                svg,
                "<text class=\"strong\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                TOP - 9.0,
                numbers.join(",")
            );
        }
        svg += "</g>";
    }
    svg
}
