//! What plugins say through `tracing`, caught by the subscriber that forwards it to a host.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use abi_stable::prefix_type::WithMetadata;
use abi_stable::std_types::RStr;
use tracing::{Dispatch, Level};

use crate::abi::{RawLog, RawLog_Ref, log_subscriber};

/// An event of `tracing`, as the host would receive it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its level.
    pub level: Level,
    /// Its target: by default the module path of the author's code.
    pub target: String,
    /// The message and its fields.
    pub text: String,
}

/// Messages by run: tests run at the same time, each with a log of its own.
static MESSAGES: Mutex<Option<HashMap<u64, Vec<Message>>>> = Mutex::new(None);
static NEXT: AtomicU64 = AtomicU64::new(1);

fn with_messages<T>(run: u64, use_them: impl FnOnce(&mut Vec<Message>) -> T) -> T {
    let mut guard = MESSAGES.lock().unwrap_or_else(PoisonError::into_inner);
    use_them(guard.get_or_insert_default().entry(run).or_default())
}

extern "C" fn max_level() -> u8 {
    5
}

extern "C" fn enabled(_: u64, _: u8, _: RStr<'_>) -> bool {
    true
}

extern "C" fn event(run: u64, level: u8, target: RStr<'_>, text: RStr<'_>) {
    let level = match level {
        1 => Level::ERROR,
        2 => Level::WARN,
        3 => Level::INFO,
        4 => Level::DEBUG,
        _ => Level::TRACE,
    };
    with_messages(run, |messages| messages.push(Message { level, target: target.into(), text: text.into() }));
}

const TABLE: &WithMetadata<RawLog> = &WithMetadata::new(RawLog { max_level, enabled, event });

/// The log of one run.
pub(super) struct CaughtLog {
    run: u64,
    dispatch: Dispatch,
}

impl CaughtLog {
    pub fn new() -> Self {
        let run = NEXT.fetch_add(1, Ordering::Relaxed);
        let table: RawLog_Ref = RawLog_Ref(TABLE.static_as_prefix());
        Self { run, dispatch: Dispatch::new(log_subscriber(table, run)) }
    }

    /// Runs a plugin's code with its events going to this log.
    pub fn during<T>(&self, call: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, call)
    }

    /// What was said so far.
    pub fn messages(&self) -> Vec<Message> {
        with_messages(self.run, |messages| messages.clone())
    }
}

impl Drop for CaughtLog {
    fn drop(&mut self) {
        let mut guard = MESSAGES.lock().unwrap_or_else(PoisonError::into_inner);
        guard.get_or_insert_default().remove(&self.run);
    }
}
