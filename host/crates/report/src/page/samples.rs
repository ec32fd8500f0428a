//! Samples to look at: the surest mistakes, and the least certain ones.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::section as titled;
use crate::escape::escape;
use crate::run::{Run, SampleRecord};

/// The last validation of the best epoch, or the last one at all.
pub(super) fn section(run: &Run) -> String {
    let best = run.best().map(|(epoch, _)| epoch);
    let of_best = run.samples.iter().rev().find(|record| Some(record.epoch) == best);
    let Some(record) = of_best.or(run.samples.last()) else { return String::new() };
    let which = if of_best.is_some() { "best" } else { "last recorded" };
    let mut html =
        format!("<p class=\"muted\">Of the validation of the {which} epoch, {}.</p>\n", record.epoch + 1);
    for (heading, samples) in [("most confidently wrong", &record.wrong), ("least certain", &record.unsure)] {
        if !samples.is_empty() {
            let _ = write!(html, "<h3>{heading}</h3>\n<div class=\"samples\">\n");
            samples.iter().for_each(|sample| html += &figure(run, sample));
            html += "</div>\n";
        }
    }
    titled("samples", "Samples", &html)
}

/// A sample: what there is to see of it, what it is and what it was taken for.
fn figure(run: &Run, sample: &SampleRecord) -> String {
    let mut html = "<figure class=\"card sample\">".to_owned();
    let picture = sample.picture.as_ref().and_then(|name| run.pictures.get(name));
    if let Some(jpeg) = picture {
        let _ = write!(
            html,
            "<img alt=\"{}\" src=\"data:image/jpeg;base64,{}\">",
            escape(&sample.sample),
            BASE64_STANDARD.encode(jpeg)
        );
    }
    for text in [&sample.text, &sample.text_pair].into_iter().flatten() {
        let _ = write!(html, "<blockquote>{}</blockquote>", escape(text));
    }
    let verdict = match sample.target == sample.prediction {
        true => format!("{}, rightly", sample.prediction),
        false => format!("{} for {}", sample.prediction, sample.target),
    };
    let name = sample.sample.rsplit('/').next().unwrap_or(&sample.sample);
    let _ = writeln!(
        html,
        "<figcaption>{}<small>{:.1}%, <span title=\"{}\">{}</span></small></figcaption></figure>",
        escape(&verdict),
        sample.probability * 100.0,
        escape(&sample.sample),
        escape(name)
    );
    html
}
