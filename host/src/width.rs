//! How wide the terminal is, and lines that fit into it.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, IsTerminal};

use thaw_terminal::stdout::{OutputError, print};
use thaw_terminal::{wrap, wrap_cells};

/// Columns of a terminal that does not say.
const COLUMNS: usize = 80;

/// Spaces before what is left of a line of parts.
const INDENT: usize = 4;

/// Columns that lines on standard output may have; none where it is no terminal: lines stay whole there.
pub fn of_stdout() -> Option<usize> {
    of(&io::stdout())
}

/// The same of standard error.
pub fn of_stderr() -> Option<usize> {
    of(&io::stderr())
}

/// The last column is left free: some terminals go to the next line when it is written.
fn free(columns: Option<usize>) -> usize {
    columns.filter(|columns| *columns > 0).unwrap_or(COLUMNS).saturating_sub(1).max(1)
}

#[cfg(unix)]
fn of(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let columns = || rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    stream.is_terminal().then(|| free(columns()))
}

#[cfg(not(unix))]
fn of(stream: &impl IsTerminal) -> Option<usize> {
    let columns = || ratatui::crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
    stream.is_terminal().then(|| free(columns()))
}

/// A text, its lines broken between words where standard output is a terminal; what is left of a line begins
/// after `indent` spaces.
///
/// # Errors
/// The text is lost.
pub fn print_wrapped(text: impl Display, indent: usize) -> Result<(), OutputError> {
    match of_stdout() {
        Some(columns) => print(wrap(&text.to_string(), columns, indent)),
        None => print(text),
    }
}

/// A line of parts that stay whole where a terminal is wide enough for each.
///
/// # Errors
/// The line is lost.
pub fn print_cells(cells: &[String]) -> Result<(), OutputError> {
    match of_stdout() {
        Some(columns) => print(wrap_cells(cells, columns, INDENT)),
        None => print(cells.join("  ")),
    }
}

/// A text for standard error, in the same way.
pub fn wrapped_for_stderr(text: &str, indent: usize) -> Cow<'_, str> {
    match of_stderr() {
        Some(columns) => wrap(text, columns, indent).into(),
        None => text.into(),
    }
}

/// A line of the log, in the same way.
pub fn wrapped_message(bytes: &[u8]) -> Cow<'_, [u8]> {
    match std::str::from_utf8(bytes).map(|text| wrapped_for_stderr(text, INDENT + 2)) {
        Ok(Cow::Owned(text)) => text.into_bytes().into(),
        _ => bytes.into(),
    }
}
