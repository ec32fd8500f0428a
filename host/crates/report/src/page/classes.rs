//! Classes: which are taken for which, and the scores of each.

mod matrix;

use std::fmt::Write as _;

use super::section as titled;
use crate::chart::reliability;
use crate::escape::escape;
use crate::run::{ConfusionRecord, Run};
use thaw_metrics::{ClassScores, Scores};

/// A matrix of more classes would not be read.
const DRAWN: usize = 30;
/// So many of the most frequent confusions are listed.
const LISTED: usize = 20;
/// A table of more classes is folded.
const FOLDED: usize = 40;

/// The last validation of the best epoch, or the last one at all.
pub(super) fn section(run: &Run) -> String {
    let best = run.best().map(|(epoch, _)| epoch);
    let of_best = run.confusion.iter().rev().find(|record| Some(record.epoch) == best);
    let Some(confusion) = of_best.or(run.confusion.last()) else { return String::new() };
    let which = if of_best.is_some() { "best" } else { "last recorded" };
    let name = |class: usize| run.class_names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let names: Vec<String> = (0..confusion.classes).map(name).collect();
    let scores = Scores::of(confusion.classes, confusion.counts.iter().copied());
    let mut html = format!(
        "<p class=\"muted\">The {which} epoch, {}: {} of {} samples of validation are right.</p>\n",
        confusion.epoch + 1,
        scores.hits(),
        scores.samples()
    );
    html += "<div class=\"grid\">\n";
    if confusion.classes <= DRAWN {
        html += &matrix::figure(confusion, &names, &scores);
    }
    html += &confusions(confusion, &names);
    html += &confusion.calibration().map_or_else(String::new, |calibration| reliability(&calibration));
    html += "</div>\n";
    html += &table(&names, &scores);
    titled("classes", "Classes", &html)
}

/// The pairs that are mixed up most often.
fn confusions(confusion: &ConfusionRecord, names: &[String]) -> String {
    let mut wrong: Vec<_> =
        confusion.counts.iter().filter(|(label, predicted, _)| label != predicted).collect();
    wrong.sort_by_key(|(label, predicted, count)| (std::cmp::Reverse(*count), *label, *predicted));
    if wrong.is_empty() {
        return String::new();
    }
    let mut html = "<figure class=\"card\"><figcaption>most frequent confusions</figcaption>\
                    <table><thead><tr><th>class</th><th>predicted</th><th \
                    class=\"n\">samples</th></tr></thead><tbody>\n"
        .to_owned();
    for (label, predicted, count) in wrong.iter().take(LISTED) {
        let _ = writeln!(
            html,
            "<tr><td>{}</td><td>{}</td><td class=\"n\">{count}</td></tr>",
            escape(&names[*label]),
            escape(&names[*predicted])
        );
    }
    html + "</tbody></table></figure>\n"
}

fn table(names: &[String], scores: &Scores) -> String {
    let row = |tag: &str, name: &str, values: [String; 3], support: u64| {
        let values: String = values.iter().map(|value| format!("<td class=\"n\">{value}</td>")).collect();
        format!("<tr><{tag}>{}</{tag}>{values}<td class=\"n\">{support}</td></tr>\n", escape(name))
    };
    let three = |of: &dyn Fn(fn(&ClassScores) -> f64) -> f64| {
        [ClassScores::precision as fn(&ClassScores) -> f64, ClassScores::recall, ClassScores::f1]
            .map(|score| format!("{:.3}", of(score)))
    };
    let mut html = "<table class=\"scores\"><thead><tr><th>class</th><th class=\"n\">precision</th>\
                    <th class=\"n\">recall</th><th class=\"n\">F1</th><th \
                    class=\"n\">support</th></tr></thead><tbody>\n"
        .to_owned();
    for (name, class) in names.iter().zip(&scores.classes) {
        html += &row("td", name, three(&|score| score(class)), class.support);
    }
    let mean = three(&|score| scores.macro_mean(score));
    let _ = write!(
        html,
        "</tbody><tfoot>{}</tfoot></table>",
        row("td", "mean over classes", mean, scores.samples())
    );
    if names.len() > FOLDED {
        let summary = format!("scores of {} classes", names.len());
        return format!("<details class=\"card\"><summary>{summary}</summary>{html}</details>\n");
    }
    format!("<div class=\"card scroll\" style=\"margin-top:12px\">{html}</div>\n")
}
