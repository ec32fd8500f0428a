//! What the thread that sends has to tell the run.

use std::sync::{Mutex, PoisonError};

/// Warnings on their way to the run, whose log and records they belong to.
#[derive(Default)]
pub(super) struct Told(Mutex<Vec<String>>);

impl Told {
    /// Warns.
    pub(super) fn warn(&self, text: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// What was warned of since the last call.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
