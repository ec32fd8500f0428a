//! Charts as SVG, in the colours of the page's style.

mod lines;
mod reliability;
mod scale;
mod stacked;

use std::fmt::Write as _;

pub(crate) use lines::{Line, LineChart, Mark};
pub(crate) use reliability::reliability;
pub(crate) use scale::Along;
pub use scale::{number, seconds};
pub(crate) use stacked::{Part, Stacked};

use crate::escape::escape;

/// Width of a chart in the units of its text: as wide as a phone.
pub(crate) const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 34.0;

/// The names of what a chart shows, with their colours: at most so many, the rest is counted.
const NAMED: usize = 12;

/// A heading, a legend where there are several, and the drawing.
fn figure(title: &str, names: &[(String, String)], drawing: &str, notes: &[String]) -> String {
    let mut html = format!("<figure class=\"card\"><figcaption>{}</figcaption>", escape(title));
    if names.len() > 1 {
        html += "<p class=\"legend\">";
        for (name, class) in names.iter().take(NAMED) {
            let _ = write!(html, "<span><i class=\"{class}\"></i>{}</span>", escape(name));
        }
        if names.len() > NAMED {
            let _ = write!(html, "<span>and {} more</span>", names.len() - NAMED);
        }
        html += "</p>";
    }
    html += drawing;
    for note in notes {
        let _ = write!(html, "<p class=\"note\">{}</p>", escape(note));
    }
    html + "</figure>\n"
}

/// The frame of a chart: the axes' ticks with their lines.
fn frame(x: &Along, y: &Along, x_label: &str) -> String {
    let mut svg = String::new();
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    for (value, text) in y.ticks() {
        let at = y.place(value);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    for (value, text) in x.ticks() {
        let at = x.place(value);
        let _ = write!(
            svg,
            "<text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
            bottom + 15.0
        );
    }
    let middle = (LEFT + right) / 2.0;
    let _ = write!(
        svg,
        "<line class=\"axis\" x1=\"{LEFT}\" x2=\"{right}\" y1=\"{bottom}\" y2=\"{bottom}\"/>\
         <text x=\"{middle:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
        bottom + 29.0,
        escape(x_label)
    );
    svg
}

fn svg(kind: &str, label: &str, inside: &str) -> String {
    format!(
        "<svg class=\"chart {kind}\" role=\"img\" aria-label=\"{}\" viewBox=\"0 0 {WIDTH} \
         {HEIGHT}\">{inside}</svg>",
        escape(label)
    )
}
