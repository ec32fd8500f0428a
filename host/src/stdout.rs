//! Standard output: what a command answers.

use std::fmt::Display;
use std::io::{ErrorKind, Write};

use crate::error::{Error, io};

/// Writes a text and a line end. A reader that went away (`| head`) is no fault.
///
/// # Errors
/// The text is lost, as on a full disk.
pub fn print(text: impl Display) -> Result<(), Error> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(io("standard output")(error)),
        _ => Ok(()),
    }
}
