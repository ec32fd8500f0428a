//! How wide the terminal is, and lines that fit into it.

use std::fmt::Display;
use std::io::{self, IsTerminal};

use thaw_terminal::stdout::{OutputError, print};
use thaw_terminal::{wrap, wrap_cells};

/// Columns of a terminal that does not say.
const COLUMNS: usize = 80;

/// Spaces before what is left of a line of parts.
const INDENT: usize = 4;

/// Columns that standard output has; none where it is no terminal: lines stay whole there.
pub fn of_stdout() -> Option<usize> {
    of(&io::stdout())
}

/// The same of standard error.
pub fn of_stderr() -> Option<usize> {
    of(&io::stderr())
}

#[cfg(unix)]
fn of(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<usize> {
    let columns = || rustix::termios::tcgetwinsize(stream).ok().map(|size| usize::from(size.ws_col));
    stream.is_terminal().then(|| columns().filter(|columns| *columns > 0).unwrap_or(COLUMNS))
}

#[cfg(not(unix))]
fn of(stream: &impl IsTerminal) -> Option<usize> {
    let columns = || ratatui::crossterm::terminal::size().ok().map(|(columns, _)| usize::from(columns));
    stream.is_terminal().then(|| columns().filter(|columns| *columns > 0).unwrap_or(COLUMNS))
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

/// A line of the log, in the same way for standard error.
pub fn wrapped_message(bytes: &[u8]) -> Vec<u8> {
    match (of_stderr(), std::str::from_utf8(bytes)) {
        (Some(columns), Ok(text)) => wrap(text, columns, INDENT + 2).into_bytes(),
        _ => bytes.to_vec(),
    }
}
