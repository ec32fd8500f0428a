//! Standard output: what a command answers.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::error::{Error, io};
use crate::escape;

/// Writes a text and a line end; nothing of it moves the terminal's cursor or changes its colours. A reader
/// that went away (`| head`) is no fault.
///
/// # Errors
/// The text is lost, as on a full disk.
pub fn print(text: impl Display) -> Result<(), Error> {
    match writeln!(std::io::stdout().lock(), "{}", escape::output(&text.to_string())) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(io("standard output")(error)),
        _ => Ok(()),
    }
}
