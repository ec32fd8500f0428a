//! The thaw chart: what of the model trained in which epoch, and at which rate.

mod cells;
mod drawing;
mod legend;
mod marks;
mod rows;

use self::cells::Columns;
use self::marks::Mark;
use super::section as titled;
use crate::escape::escape;
use crate::run::Run;

/// A list of more marks is folded.
const FOLDED: usize = 10;

/// Modules from the bottom to the top, and epochs.
pub(super) fn section(run: &Run) -> String {
    let columns = Columns::of(&run.groups);
    let rows = rows::rows(&run.modules, &columns);
    if rows.is_empty() {
        return String::new();
    }
    let marks = marks::of(run, &columns);
    let draw = |format| drawing::draw(&rows, &columns, &marks, format);
    let (wide, narrow) = (draw(drawing::WIDE), draw(drawing::NARROW));
    let legend = legend::of(&rows);
    let html = format!(
        "<figure class=\"card\"><figcaption>what trains, from the bottom of the model to its \
         top</figcaption>\
         {legend}{wide}{narrow}{}</figure>\n",
        list(&marks)
    );
    titled("thaw", "Thaw", &html)
}

fn list(marks: &[Mark]) -> String {
    if marks.is_empty() {
        return String::new();
    }
    let item = |mark: &Mark| format!("<li>epoch {}: {}</li>", mark.epoch + 1, escape(&mark.text));
    let items: String = marks.iter().map(item).collect();
    let list = format!("<ol class=\"note\">{items}</ol>");
    if marks.len() <= FOLDED {
        return list;
    }
    format!("<details><summary>{} changes</summary>{list}</details>", marks.len())
}
