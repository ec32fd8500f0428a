//! How the run tells the thread that sends: there is something in the file, or nothing more comes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A server that is well answers a request within this time: at its end the run waits for no other.
const ANSWERS: Duration = Duration::from_secs(1);

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
    /// Whether the server failed when it was asked last.
    is_failing: bool,
    /// Since when a request waits for its answer.
    asked: Option<Instant>,
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

    /// A request is sent; the one before was answered.
    pub(super) fn asks(&self) {
        self.lock().asked = Some(Instant::now());
        self.changed.notify_all();
    }

    /// Everything was answered.
    pub(super) fn is_well(&self) {
        let mut state = self.lock();
        (state.asked, state.is_failing) = (None, false);
        self.changed.notify_all();
    }

    /// The server refused, or did not answer.
    pub(super) fn failed(&self) {
        let mut state = self.lock();
        (state.asked, state.is_failing) = (None, true);
        self.changed.notify_all();
    }

    /// Nothing more comes: waits until the thread has looked for the last time, so long at most, and only for
    /// a server that keeps answering.
    pub(super) fn close(&self, patience: Duration) {
        let mut state = self.lock();
        state.is_closed = true;
        self.changed.notify_all();
        let began = Instant::now();
        // Whether it is through, the file says.
        while !state.is_over && !state.is_failing {
            let until = state.asked.unwrap_or(began) + ANSWERS;
            let left = until.min(began + patience).saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(state, left);
            state = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
