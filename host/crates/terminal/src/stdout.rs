//! Standard output: what a command answers.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::escape;

/// An output that is lost, as on a full disk.
#[derive(Debug, thiserror::Error)]
#[error("standard output: {0}")]
pub struct OutputError(#[from] std::io::Error);

/// Writes a text and a line end; nothing of it moves the terminal's cursor or changes its colours. A reader
/// that went away (`| head`) is no fault.
///
/// # Errors
/// The text is lost.
pub fn print(text: impl Display) -> Result<(), OutputError> {
    match writeln!(std::io::stdout().lock(), "{}", escape::output(&text.to_string())) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
