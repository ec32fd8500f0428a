//! Long lines on a narrow terminal: broken between words, by the columns that a terminal gives them.

use crate::aligned;

/// A text whose lines are no wider than so many columns, where words allow it: further lines of a line begin
/// with `indent` spaces. What stands between two or more spaces stays together as long as it fits into a line
/// by itself. A word that is wider stays whole, so that a path can be copied, and so does a command after a
/// colon (`…: host fit …`). Colours take no room.
///
/// ```
/// let text = "epoch 1/20  step 12  val_loss 0.2500  3 samples/s";
/// assert_eq!(thaw_terminal::wrap(text, 24, 2), "epoch 1/20  step 12\n  val_loss 0.2500\n  3 samples/s");
/// ```
pub fn wrap(text: &str, columns: usize, indent: usize) -> String {
    let lines = text.split('\n').map(|line| wrap_line(line, columns, indent));
    lines.collect::<Vec<_>>().join("\n")
}

/// A line that is being made.
struct Lines {
    done: Vec<String>,
    line: String,
    columns: usize,
    indent: String,
    /// Whether the line has nothing but its indent.
    is_fresh: bool,
}

impl Lines {
    fn new(line: String, columns: usize, indent: usize) -> Self {
        let indent = " ".repeat(indent.min(columns / 2));
        Self { done: Vec::new(), line, columns, indent, is_fresh: true }
    }

    /// Adds a part: whole where that can be, else word by word.
    fn put(&mut self, gap: usize, cell: &str) {
        if self.takes(gap, cell) {
            self.add(gap, cell);
        } else if width(cell) <= self.columns.saturating_sub(self.indent.len()) {
            self.turn();
            self.add(gap, cell);
        } else {
            for (place, word) in words(cell).into_iter().enumerate() {
                let gap = if place == 0 { gap } else { 1 };
                if !self.takes(gap, word) {
                    self.turn();
                }
                self.add(gap, word);
            }
        }
    }

    fn finish(mut self) -> String {
        self.turn();
        self.done.join("\n")
    }

    /// What would be added after the gap: whether it fits.
    fn takes(&self, gap: usize, text: &str) -> bool {
        let gap = if self.is_fresh { 0 } else { gap };
        width(&self.line) + gap + width(text) <= self.columns
    }

    fn add(&mut self, gap: usize, text: &str) {
        if !self.is_fresh {
            self.line.push_str(&" ".repeat(gap));
        }
        self.line.push_str(text);
        self.is_fresh = false;
    }

    fn turn(&mut self) {
        if !self.is_fresh {
            self.done.push(std::mem::replace(&mut self.line, self.indent.clone()));
            self.is_fresh = true;
        }
    }
}

fn wrap_line(line: &str, columns: usize, indent: usize) -> String {
    if width(line) <= columns {
        return line.to_owned();
    }
    let text = line.trim_start_matches(' ');
    let mut lines = Lines::new(line[..line.len() - text.len()].to_owned(), columns, indent);
    cells(text).into_iter().for_each(|(gap, cell)| lines.put(gap, cell));
    lines.finish()
}

/// A line of parts with two spaces between them, as [`wrap`] breaks it: a part may hold spaces, and stays
/// whole where it fits into a line by itself.
pub fn wrap_cells(cells: &[String], columns: usize, indent: usize) -> String {
    let mut lines = Lines::new(String::new(), columns, indent);
    cells.iter().for_each(|cell| lines.put(2, cell));
    lines.finish()
}

/// What stands between runs of at least two spaces, with the spaces before it.
fn cells(text: &str) -> Vec<(usize, &str)> {
    let mut cells = Vec::new();
    let (mut rest, mut gap) = (text, 0);
    while !rest.is_empty() {
        let end = rest.find("  ").unwrap_or(rest.len());
        cells.push((gap, &rest[..end]));
        let after = rest[end..].trim_start_matches(' ');
        (gap, rest) = (rest.len() - end - after.len(), after);
    }
    cells
}

/// Words; a command is one with what follows it.
fn words(cell: &str) -> Vec<&str> {
    let is_program = |(colon, _): &(usize, &str)| {
        let program = cell[colon + 2..].split(' ').next().unwrap_or_default();
        program == "host" || program.ends_with("/host")
    };
    let command = cell.match_indices(": ").find(is_program).map(|(colon, _)| colon + 2);
    let (before, command) = cell.split_at(command.unwrap_or(cell.len()));
    let before = before.trim_end_matches(' ').split(' ').filter(|word| !word.is_empty());
    before.chain((!command.is_empty()).then_some(command)).collect()
}

/// Columns of a text with colours, `ESC [ … m`.
fn width(text: &str) -> usize {
    let mut columns = 0;
    let mut rest = text;
    while let Some(begin) = rest.find("\u{1b}[") {
        columns += aligned::width(&rest[..begin]);
        let Some(end) = rest[begin..].find('m') else { return columns };
        rest = &rest[begin + end + 1..];
    }
    columns + aligned::width(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_never_broken_and_lines_are_no_wider_than_the_terminal() {
        let text = " INFO data: 日本語 pictures of 3 classes, a remark that is longer than a line";
        for columns in 14..90 {
            let wrapped = wrap(text, columns, 6);
            assert!(wrapped.lines().all(|line| width(line) <= columns), "{columns}:\n{wrapped}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&wrapped), words(text));
        }
        assert_eq!(wrap(text, 90, 6), text);
        assert_eq!(wrap("a /a/path/that/is/long b", 10, 2), "a\n  /a/path/that/is/long\n  b");
    }

    #[test]
    fn a_command_stays_whole() {
        for program in ["host", "target/host"] {
            let text = format!("error: it is not live; to go on with it: {program} fit --resume runs/first");
            let expected =
                format!("error: it is not live; to go\n  on with it:\n  {program} fit --resume runs/first");
            assert_eq!(wrap(&text, 30, 2), expected);
        }
    }

    #[test]
    fn parts_stay_whole() {
        let cells = ["epoch   1/20", "step    12", "val_loss 0.25"].map(str::to_owned);
        assert_eq!(wrap_cells(&cells, 80, 2), "epoch   1/20  step    12  val_loss 0.25");
        assert_eq!(wrap_cells(&cells, 20, 2), "epoch   1/20\n  step    12\n  val_loss 0.25");
    }

    #[test]
    fn colours_take_no_room() {
        let text = "\u{1b}[33m WARN\u{1b}[0m one two";
        assert_eq!(wrap(text, 13, 6), text);
        assert_eq!(wrap(text, 12, 6), "\u{1b}[33m WARN\u{1b}[0m one\n      two");
    }

    #[test]
    fn line_ends_and_short_lines_stay() {
        assert_eq!(wrap("a\n\nb  c\n", 10, 2), "a\n\nb  c\n");
        assert_eq!(wrap("", 0, 2), "");
    }
}
