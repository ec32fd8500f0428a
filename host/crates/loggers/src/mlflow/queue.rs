//! What waits to be sent.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::item::Item;

/// Items that may wait: as many requests.
const LIMIT: usize = 1000;

/// Items from the run to the thread that sends.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The first one is being sent, and leaves when that is done.
    items: VecDeque<Item>,
    /// Whether more may come.
    is_closed: bool,
    /// Whether the run took what was left.
    is_given_up: bool,
}

impl Queue {
    /// Adds an item; gives it back where too many wait.
    pub(super) fn push(&self, item: Item) -> Option<Item> {
        let mut state = self.lock();
        if state.items.len() >= LIMIT {
            return Some(item);
        }
        state.items.push_back(item);
        self.changed.notify_all();
        None
    }

    /// Waits for the first item, which stays; none where no more come.
    pub(super) fn first(&self) -> Option<Item> {
        let mut state = self.lock();
        loop {
            if state.is_given_up {
                return None;
            }
            if let Some(item) = state.items.front() {
                return Some(item.clone());
            }
            if state.is_closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The first item is dealt with, once `keep` is through; that is not called where the run has taken the
    /// item meanwhile.
    pub(super) fn done(&self, keep: impl FnOnce()) {
        let mut state = self.lock();
        if !state.is_given_up {
            keep();
            state.items.pop_front();
            self.changed.notify_all();
        }
    }

    /// No more come: waits so long at most until all are dealt with, and gives those that are not.
    pub(super) fn close(&self, patience: Duration) -> Vec<Item> {
        let mut state = self.lock();
        state.is_closed = true;
        self.changed.notify_all();
        let waited = self.changed.wait_timeout_while(state, patience, |state| !state.items.is_empty());
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_given_up = true;
        self.changed.notify_all();
        state.items.drain(..).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::Status;
    use super::*;

    fn item() -> Item {
        Item::Status { status: Status::Running, end_time: None }
    }

    #[test]
    fn what_nobody_sends_is_given_back_in_the_end() {
        let queue = Queue::default();
        assert_eq!((0..LIMIT).filter_map(|_| queue.push(item())).count(), 0);
        assert_eq!(queue.push(item()), Some(item()), "no more may wait");
        assert_eq!(queue.first(), Some(item()));
        assert_eq!(queue.close(Duration::ZERO).len(), LIMIT, "the one that is being sent is among them");
        assert_eq!(queue.first(), None);
        queue.done(|| panic!("the run has it"));
    }
}
