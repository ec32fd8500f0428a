//! Aligned columns, with the help text wrapped in the last one.

use std::fmt::Write as _;

use serde_json::Value;

use super::Parameter;
use thaw_plugins::plain;
use thaw_terminal::aligned;

/// Columns get no wider than this; longer text goes on below.
const WIDEST: usize = 28;
/// Below this width the help text goes on lines of its own.
const NARROWEST_HELP: usize = 36;

/// The parameters as a table, two spaces in.
pub fn text(rows: &[Parameter], width: usize) -> String {
    let cells: Vec<[String; 4]> = rows
        .iter()
        .map(|row| [row.key.clone(), row.kind.clone(), default(row.default.as_ref()), row.range.clone()])
        .collect();
    let heads = ["parameter", "type", "default", "range"];
    let widths: Vec<usize> = (0..4)
        .map(|column| {
            let cells = cells.iter().map(|row| length(&row[column])).filter(|length| *length <= WIDEST);
            cells.chain([length(heads[column])]).max().unwrap_or_default()
        })
        .collect();
    let indent = 2 + widths.iter().map(|width| width + 2).sum::<usize>();
    let (indent, help_width) = if width >= indent + NARROWEST_HELP {
        (indent, width - indent)
    } else {
        (6, width.saturating_sub(6).max(NARROWEST_HELP))
    };
    let mut text = String::new();
    line(&mut text, &heads.map(str::to_owned), &widths, "");
    for (row, cells) in rows.iter().zip(&cells) {
        let mut help = wrap(&row.help, help_width);
        for (word, meaning) in &row.choices {
            let lines = wrap(&format!("{word}: {meaning}"), help_width.saturating_sub(2));
            help.extend(
                lines
                    .into_iter()
                    .enumerate()
                    .map(|(index, line)| if index == 0 { line } else { format!("  {line}") }),
            );
        }
        let fits = cells.iter().zip(&widths).all(|(cell, width)| length(cell) <= *width);
        let beside = indent > 6 && fits;
        line(&mut text, cells, &widths, if beside { help.first().map_or("", String::as_str) } else { "" });
        for line in help.iter().skip(usize::from(beside)) {
            let _ = writeln!(text, "{:indent$}{line}", "");
        }
    }
    text
}

fn line(text: &mut String, cells: &[String; 4], widths: &[usize], help: &str) {
    let mut line = String::from(" ");
    for (cell, width) in cells.iter().zip(widths) {
        let _ = write!(line, " {} ", aligned::left(cell, *width));
    }
    line.push_str(help);
    text.push_str(line.trim_end());
    text.push('\n');
}

fn default(default: Option<&Value>) -> String {
    match default {
        None => "required".to_owned(),
        Some(Value::Null) => "none".to_owned(),
        Some(Value::String(text)) => format!("\"{text}\""),
        Some(other) => plain(other),
    }
}

fn length(text: &str) -> usize {
    aligned::width(text)
}

/// Text in lines of at most `width` columns; line breaks of the author's become spaces, empty lines
/// separate.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split("\n\n") {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && length(&line) + 1 + length(word) > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        if !line.is_empty() {
            lines.push(line);
        }
    }
    lines
}
