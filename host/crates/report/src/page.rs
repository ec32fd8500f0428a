//! The page of a run.

mod classes;
mod comparison;
mod curves;
mod details;
mod samples;
mod summary;
mod thaw;

pub use comparison::render_comparison;

use crate::escape::escape;
use crate::run::Run;

const STYLE: &str = include_str!("page/style.css");

/// The whole page. It has no scripts and asks nothing of a network; a policy in it forbids both. What it
/// says depends on the run alone, so that the same records always make the same page.
pub fn render(run: &Run) -> String {
    let sections = [
        summary::section(run),
        curves::section(run),
        thaw::section(run),
        classes::section(run),
        samples::section(run),
        curves::time_section(run),
        details::section(run),
    ];
    document(&run.name, &sections.concat())
}

/// A page with a title, around its sections.
fn document(title: &str, sections: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; \
         style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        escape(title),
        sections
    )
}

/// A section with its heading; nothing of nothing.
fn section(id: &str, title: &str, inside: &str) -> String {
    if inside.is_empty() {
        return String::new();
    }
    format!("<section id=\"{id}\">\n<h2>{}</h2>\n{inside}</section>\n", escape(title))
}

/// Class of the colour of the thing at this place of so many: of few, colours that are told apart; of many,
/// steps from light to dark.
fn colour(index: usize, of: usize) -> String {
    if of <= 8 { format!("c{index}") } else { format!("r{}", index * 6 / (of - 1)) }
}
