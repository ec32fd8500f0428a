//! Warnings of a run on their way to observers.

use std::cell::RefCell;
use std::fmt::Display;
use std::mem::take;
use std::rc::Rc;
use std::time::Instant;

use time::OffsetDateTime;

/// A warning with when it was given.
pub(super) struct Warning {
    pub(super) time: OffsetDateTime,
    pub(super) at: Instant,
    pub(super) text: String,
}

/// Where the parts of a run leave their warnings. They go into the log at once, and to observers with the
/// next event: hooks that warn cannot reach these while they act on the run. Clones share what waits.
#[derive(Clone, Default)]
pub struct Warnings(Rc<RefCell<Vec<Warning>>>);

impl Warnings {
    /// Warns.
    pub fn warn(&self, text: impl Display) {
        let text = text.to_string();
        tracing::warn!("{text}");
        self.told(text);
    }

    /// What the log has already.
    pub(super) fn told(&self, text: String) {
        let warning = Warning { time: OffsetDateTime::now_utc(), at: Instant::now(), text };
        self.0.borrow_mut().push(warning);
    }

    /// Those that observers are not told yet.
    pub(super) fn take(&self) -> Vec<Warning> {
        take(&mut *self.0.borrow_mut())
    }
}
