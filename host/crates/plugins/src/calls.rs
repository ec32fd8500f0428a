//! The call into a plugin that this process is in, kept where a signal handler can read it.
//!
//! A plugin is native code: it may end the process, crash it, or not come back. What is left to do then is to
//! say who it was. So a pointer to the name of the call is kept for as long as the call runs. Names are made
//! once and stay for good, so that whoever reads the pointer, at whatever moment, reads a whole text.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use thaw_plugin_api::abi::Kind;

use thaw_terminal::escape::escape;

static CURRENT: AtomicPtr<String> = AtomicPtr::new(ptr::null_mut());
static ENTERED: AtomicU64 = AtomicU64::new(0);
static NAMES: LazyLock<Mutex<HashMap<String, &'static String>>> = LazyLock::new(Mutex::default);

/// A strategy, callback or model as the one who is called.
pub struct Caller {
    who: String,
    /// Names of the calls so far, by hook.
    calls: Vec<(&'static str, &'static String)>,
}

impl Caller {
    /// Nothing called yet.
    pub fn new(kind: Kind, id: &str, plugin: &str) -> Self {
        Self { who: format!("{kind} `{}` of plugin `{}`", escape(id), escape(plugin)), calls: Vec::new() }
    }

    /// A call begins, and lasts as long as the value does.
    pub fn enter(&mut self, hook: &'static str) -> Entered {
        let known = self.calls.iter().find(|(known, _)| ptr::eq(*known, hook)).map(|(_, name)| *name);
        let name = known.unwrap_or_else(|| {
            let name = kept(format!("{}, in `{hook}`", self.who));
            self.calls.push((hook, name));
            name
        });
        Entered::new(name)
    }
}

/// The loader opens a plugin's file, whose constructors run.
pub fn enter_opening(shown: &std::path::Path) -> Entered {
    Entered::new(kept(format!("plugin {}, while it is opened", thaw_terminal::escape::path(shown))))
}

/// While this lives, the process is in the call.
pub struct Entered {
    before: *mut String,
}

impl Entered {
    fn new(name: &'static String) -> Self {
        ENTERED.fetch_add(1, Ordering::Relaxed);
        Self { before: CURRENT.swap(ptr::from_ref(name).cast_mut(), Ordering::AcqRel) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.store(self.before, Ordering::Release);
    }
}

/// Who is called now, and in what; `None` outside of plugins. Signal handlers may ask.
pub fn current() -> Option<&'static str> {
    // SAFETY: null, or a name that is never freed or changed.
    unsafe { CURRENT.load(Ordering::Acquire).as_ref() }.map(String::as_str)
}

/// The number of calls so far: while it stays the same, so does the call.
pub fn count() -> u64 {
    ENTERED.load(Ordering::Relaxed)
}

/// From now on nothing is said of the present call: the user ends the program.
pub fn forget() {
    CURRENT.store(ptr::null_mut(), Ordering::Release);
}

fn kept(name: String) -> &'static String {
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(&name) {
        return known;
    }
    let kept: &'static String = Box::leak(Box::new(name.clone()));
    names.insert(name, kept);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_call_is_the_present_one() {
        let mut strategy = Caller::new(Kind::Strategy, "s", "p");
        let mut model = Caller::new(Kind::Model, "m\u{1b}", "p");
        let outer = strategy.enter("finetune");
        let count_before = count();
        {
            let _inner = model.enter("forward");
            assert_eq!(current(), Some("model `m\\u{1b}` of plugin `p`, in `forward`"));
            assert!(count() > count_before);
        }
        assert_eq!(current(), Some("strategy `s` of plugin `p`, in `finetune`"));
        drop(outer);
    }
}
