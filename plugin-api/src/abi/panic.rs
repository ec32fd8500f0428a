//! No panic crosses: it is caught inside the plugin and becomes an error.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::error::{Error, ErrorKind, Result};

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs an author's code; a panic becomes an error with its message and place.
pub fn contain<T>(what: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(what)).unwrap_or_else(|payload| {
        let place = LAST_PANIC.with(RefCell::take);
        let message = place.unwrap_or_else(|| text_of(payload.as_ref()));
        Err(Error::of(ErrorKind::Panic, format_args!("panicked: {message}")))
    })
}

/// Keeps the message and place of a panic for [`contain`] instead of printing it; once per plugin, since every plugin
/// has a standard library of its own.
pub fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(|place| format!(" (at {}:{})", place.file(), place.line())).unwrap_or_default();
            let message = format!("{}{place}", text_of(info.payload()));
            LAST_PANIC.with(|last| *last.borrow_mut() = Some(message));
        }));
    });
}

fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "(no message)".to_owned())
}
