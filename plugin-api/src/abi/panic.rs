//! No panic crosses: it is caught inside the plugin and becomes an error.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::{Error, ErrorKind, Result};

thread_local! {
    /// How many calls of [`contain`] are running on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs an author's code; a panic becomes an error with its message and place.
pub fn contain<T>(what: impl FnOnce() -> Result<T>) -> Result<T> {
    DEPTH.with(|depth| depth.set(depth.get() + 1));
    let outcome = catch_unwind(AssertUnwindSafe(what));
    DEPTH.with(|depth| depth.set(depth.get() - 1));
    outcome.unwrap_or_else(|payload| {
        let place = LAST_PANIC.with(RefCell::take);
        let message = place.unwrap_or_else(|| text_of(payload.as_ref()));
        // A payload of the author's own could panic again when dropped; one leak for each such panic is the
        // lesser evil.
        if !payload.is::<&str>() && !payload.is::<String>() {
            std::mem::forget(payload);
        }
        Err(Error::of(ErrorKind::Panic, format_args!("panicked: {message}")))
    })
}

/// Keeps the message and place of a panic for [`contain`] instead of printing it; once per plugin, since
/// every plugin has a standard library of its own. A panic that nobody contains, on a thread of the author's,
/// goes to the log.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info
                .location()
                .map(|place| format!(" (at {}:{})", place.file(), place.line()))
                .unwrap_or_default();
            let message = format!("{}{place}", text_of(info.payload()));
            if DEPTH.with(Cell::get) == 0 {
                tracing::error!("panicked: {message}");
            } else {
                let _ = LAST_PANIC.try_with(|last| *last.borrow_mut() = Some(message));
            }
        }));
    });
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}

/// An author's value whose `Drop` may panic: that goes to the log and no further.
pub struct DropContained<T>(ManuallyDrop<T>);

impl<T> DropContained<T> {
    /// Takes over the value.
    pub fn new(value: T) -> Self {
        Self(ManuallyDrop::new(value))
    }
}

impl<T> Deref for DropContained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for DropContained<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> Drop for DropContained<T> {
    fn drop(&mut self) {
        let value = &mut self.0;
        let dropped = contain(|| {
            // SAFETY: the value is not used again, here or later: this is the end of its only owner.
            unsafe { ManuallyDrop::drop(value) };
            Ok(())
        });
        if let Err(error) = dropped {
            tracing::error!("while it was dropped, a plugin's instance {error}");
        }
    }
}
