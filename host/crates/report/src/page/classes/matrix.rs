//! The confusion matrix.

use std::fmt::Write as _;

use crate::chart::{WIDTH, number};
use crate::escape::{escape, label};
use crate::run::ConfusionRecord;
use thaw_metrics::Scores;

const LEFT: f64 = 120.0;
const TOP: f64 = 22.0;
/// Cells of more classes are too small for numbers.
const NUMBERED: usize = 14;

/// Rows are classes, columns what was predicted; a cell's colour is its share of the row.
pub(super) fn figure(confusion: &ConfusionRecord, names: &[String], scores: &Scores) -> String {
    let classes = confusion.classes;
    let size = ((WIDTH - LEFT - 4.0) / classes as f64).min(40.0);
    let height = TOP + size * classes as f64 + 22.0;
    let mut svg = format!(
        "<svg class=\"chart matrix\" role=\"img\" aria-label=\"confusion matrix\" viewBox=\"0 0 \
         {WIDTH} {height:.1}\">"
    );
    svg += &labels(names, size);
    let side = size * classes as f64;
    let _ = write!(
        svg,
        "<rect class=\"empty\" x=\"{LEFT}\" y=\"{TOP}\" width=\"{side:.1}\" height=\"{side:.1}\"/>"
    );
    svg += &cells(confusion, names, scores, size);
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">predicted class</text></svg>",
        LEFT + side / 2.0,
        height - 6.0
    );
    let note = "Rows are classes; the colour is the share of the row.";
    format!(
        "<figure class=\"card\"><figcaption>confusion matrix</figcaption>{svg}<p \
         class=\"note\">{note}</p></figure>\n"
    )
}

/// Names of the rows with their numbers, and numbers of the columns.
fn labels(names: &[String], size: f64) -> String {
    let mut svg = String::new();
    let at = |class: usize| class as f64 * size;
    for (class, name) in names.iter().enumerate() {
        let middle = TOP + at(class) + size / 2.0 + 4.0;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{} {}<title>{}</title></text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}<title>{}</title></text>",
            LEFT - 6.0,
            label(name, 16),
            class + 1,
            escape(name),
            LEFT + at(class) + size / 2.0,
            TOP - 6.0,
            class + 1,
            escape(name)
        );
    }
    svg
}

fn cells(confusion: &ConfusionRecord, names: &[String], scores: &Scores, size: f64) -> String {
    let classes = confusion.classes;
    let mut svg = String::new();
    let at = |class: usize| class as f64 * size;
    for &(row, column, count) in &confusion.counts {
        let share = count as f64 / scores.classes[row].support as f64;
        let step = ((share * 7.0).ceil() as usize).clamp(1, 7) - 1;
        let (x, y) = (LEFT + at(column), TOP + at(row));
        let title = format!(
            "{} predicted as {}: {count}, {} % of the class",
            names[row],
            names[column],
            number((share * 1000.0).round() / 10.0)
        );
        let _ = write!(
            svg,
            "<rect class=\"r{step}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" \
             height=\"{:.1}\"><title>{}</title></rect>",
            size - 1.0,
            size - 1.0,
            escape(&title)
        );
        if classes <= NUMBERED {
            let class = if step >= 3 { "on" } else { "off" };
            let _ = write!(
                svg,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\" \
                 pointer-events=\"none\">{count}</text>",
                x + size / 2.0,
                y + size / 2.0 + 4.0
            );
        }
    }
    svg
}
