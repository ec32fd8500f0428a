//! How the run tells the thread that sends: there is something in the file, or nothing more comes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Wakes the thread that sends, and waits for it in the end.
#[derive(Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_rung: bool,
    /// Whether nothing more comes.
    is_closed: bool,
    /// Whether the thread has looked for the last time.
    is_over: bool,
}

/// Why the thread wakes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rung {
    /// There is something to send.
    More,
    /// What there is, is all.
    Last,
}

impl Bell {
    /// There is something to send.
    pub(super) fn ring(&self) {
        self.lock().is_rung = true;
        self.changed.notify_all();
    }

    /// Waits until there is.
    pub(super) fn wait(&self) -> Rung {
        let state = self.lock();
        let waits = |state: &mut State| !state.is_rung && !state.is_closed;
        let mut state = self.changed.wait_while(state, waits).unwrap_or_else(PoisonError::into_inner);
        state.is_rung = false;
        if state.is_closed { Rung::Last } else { Rung::More }
    }

    /// The thread has looked for the last time.
    pub(super) fn be_over(&self) {
        self.lock().is_over = true;
        self.changed.notify_all();
    }

    /// Nothing more comes: waits so long at most until the thread has looked for the last time.
    pub(super) fn close(&self, patience: Duration) {
        let mut state = self.lock();
        state.is_closed = true;
        self.changed.notify_all();
        // Whether it is through, the file says.
        drop(self.changed.wait_timeout_while(state, patience, |state| !state.is_over));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
