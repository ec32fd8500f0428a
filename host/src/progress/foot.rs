//! The foot of the terminal, where a run's lines are: others write above it.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use crate::width::wrapped_message;

/// The lines that are there.
static FOOT: Mutex<Option<ProgressBar>> = Mutex::new(None);

/// Lines at the foot of the terminal, from the first epoch to the run's end. Dropped, it leaves nothing.
pub(super) struct Foot(ProgressBar);

impl Foot {
    /// A foot that shows nothing yet; where standard error is no terminal, it never does.
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
        let style = ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        *FOOT.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.clone());
        Self(bar)
    }

    /// Whether nobody sees it.
    pub(super) fn is_hidden(&self) -> bool {
        self.0.is_hidden()
    }

    /// Other lines in the place of those before.
    pub(super) fn show(&self, lines: &[String]) {
        self.0.set_message(lines.join("\n"));
    }

    /// Lets something else write to the terminal.
    pub(super) fn suspend<T>(&self, write: impl FnOnce() -> T) -> T {
        self.0.suspend(write)
    }
}

impl Drop for Foot {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
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
        let message = wrapped_message(&self.0);
        // Where nobody reads it, nobody is told.
        let write = || drop(io::stderr().write_all(&message));
        match bar.filter(|bar| !bar.is_finished()) {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}
