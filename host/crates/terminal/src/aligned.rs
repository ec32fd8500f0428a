//! Cells of tables: as wide as a terminal shows them.
//!
//! A name may be of any length and script. Padding of the formatter counts characters and ends the program
//! beyond 65,535 of them; a terminal gives some characters two columns and some none.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

use crate::escape;

/// A name as tables show it: escaped, and cut where it is long.
pub fn name(name: &str) -> Cow<'_, str> {
    escape::shorten(name)
}

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// Columns of the widest of the cells.
pub fn widest(cells: impl IntoIterator<Item = impl AsRef<str>>) -> usize {
    cells.into_iter().map(|cell| width(cell.as_ref())).max().unwrap_or_default()
}

/// The cell at the left of so many columns; a wider one stays as it is.
pub fn left(cell: &str, columns: usize) -> String {
    format!("{cell}{}", " ".repeat(columns.saturating_sub(width(cell))))
}

/// The cell at the right of so many columns; a wider one stays as it is.
pub fn right(cell: &str, columns: usize) -> String {
    format!("{}{cell}", " ".repeat(columns.saturating_sub(width(cell))))
}

/// Numbers under each other, their points or last whole digits in one column.
///
/// ```
/// use thaw_terminal::aligned::at_point;
///
/// let numbers = ["0.9130", "12.35", "8.848e-5", "54321"].map(str::to_owned);
/// assert_eq!(at_point(&numbers), ["    0.9130  ", "   12.35    ", "    8.848e-5", "54321       "]);
/// ```
pub fn at_point(numbers: &[String]) -> Vec<String> {
    let whole = |number: &String| number.find(['.', 'e']).unwrap_or(number.len());
    let before = numbers.iter().map(whole).max().unwrap_or_default();
    let after = numbers.iter().map(|number| number.len() - whole(number)).max().unwrap_or_default();
    let cell = |number: &String| left(&right_of(number, before, whole(number)), before + after);
    numbers.iter().map(cell).collect()
}

fn right_of(number: &str, before: usize, whole: usize) -> String {
    format!("{}{number}", " ".repeat(before - whole))
}

/// As much of a text as fits into so many columns; where something is left out, `…` ends it.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut fitting = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let mut buffer = [0; 4];
        let wide = width(character.encode_utf8(&mut buffer));
        if taken + wide + 1 > columns {
            break;
        }
        taken += wide;
        fitting.push(character);
    }
    if columns > 0 {
        fitting.push('…');
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_as_wide_as_a_terminal_shows_them() {
        assert_eq!([left("ab", 4), left("日本", 5), left("é", 3)], ["ab  ", "日本 ", "é  "]);
        assert_eq!([right("ab", 4), right("日", 3), right("abc", 2)], ["  ab", " 日", "abc"]);
        assert_eq!(widest(["a", "日本", "abc"]), 4);
        assert_eq!(widest([] as [&str; 0]), 0);
    }

    #[test]
    fn a_text_is_cut_where_it_does_not_fit() {
        assert_eq!(
            [fit("abc", 3), fit("abcd", 3), fit("日本語", 5), fit("ab", 0)],
            ["abc", "ab…", "日本…", ""]
        );
    }

    #[test]
    fn a_name_of_any_length_fits() {
        let long = "x".repeat(66_000);
        let shown = name(&long);
        assert!(width(&shown) < 100 && left(&shown, 100).len() <= 102, "{shown}");
    }
}
