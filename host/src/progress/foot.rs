//! The foot of the terminal, where a run's lines are: others write above it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget};
use tracing_subscriber::fmt::MakeWriter;

/// The lines that are there.
static FOOT: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Columns of a terminal that does not say.
const COLUMNS: u16 = 80;

/// Lines at the foot, in the place of those before.
pub(super) fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
    *FOOT.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
    bar
}

/// Columns of the terminal.
pub(super) fn columns() -> usize {
    #[cfg(unix)]
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok().map(|size| size.ws_col);
    #[cfg(not(unix))]
    let size = ratatui::crossterm::terminal::size().ok().map(|(columns, _)| columns);
    size.filter(|columns| *columns > 0).unwrap_or(COLUMNS).into()
}

/// Standard error for the log: a message is written above the lines at the foot.
#[derive(Clone, Copy, Debug, Default)]
pub struct AboveFoot;

/// A message that is being made; dropped, it is written.
pub struct Message(Vec<u8>);

impl<'w> MakeWriter<'w> for AboveFoot {
    type Writer = Message;

    fn make_writer(&'w self) -> Message {
        Message(Vec::new())
    }
}

impl Write for Message {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let bar = FOOT.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // Where nobody reads it, nobody is told.
        let write = || drop(io::stderr().write_all(&self.0));
        match bar.filter(|bar| !bar.is_finished()) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}
