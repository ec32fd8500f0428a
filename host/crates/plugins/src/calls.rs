//! The call into a plugin that this process is in, kept where a signal handler can read it.
//!
//! A plugin is native code: it may end the process, crash it, or not come back. What is left to do then is to
//! say who it was. So a pointer to the name of the call is kept for as long as the call runs: for the
//! process, and for the thread that the call runs on, since a crash on another thread may be anybody's. Names
//! are made once and stay for good, so that whoever reads the pointer, at whatever moment, reads a whole
//! text.

use std::cell::Cell;
use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use thaw_plugin_api::abi::Kind;

use thaw_terminal::escape::escape;

static CURRENT: AtomicPtr<String> = AtomicPtr::new(ptr::null_mut());
/// The last call that a thread beside the main one began, and how many of those run.
static ON_THREADS: AtomicPtr<String> = AtomicPtr::new(ptr::null_mut());
static RUNNING_ON_THREADS: AtomicUsize = AtomicUsize::new(0);
static ENTERED: AtomicU64 = AtomicU64::new(0);
static NAMES: LazyLock<Mutex<HashMap<String, &'static String>>> = LazyLock::new(Mutex::default);

thread_local! {
    /// The call that this thread is in. Without memory and without a destructor, so that a signal handler may
    /// read it.
    static OF_THREAD: Cell<*const String> = const { Cell::new(ptr::null()) };
}

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

    /// Kind and id, with the plugin.
    pub fn who(&self) -> &str {
        &self.who
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

/// Who is called by many threads at once: a data set.
pub struct SharedCaller {
    calls: Vec<(&'static str, &'static String)>,
}

impl SharedCaller {
    /// With the names of all its calls.
    pub fn new(kind: Kind, id: &str, plugin: &str, calls: &[&'static str]) -> Self {
        let who = format!("{kind} `{}` of plugin `{}`", escape(id), escape(plugin));
        let named = calls.iter().map(|call| (*call, kept(format!("{who}, in `{call}`"))));
        Self { calls: named.collect() }
    }

    /// A call begins on this thread, and lasts as long as the value does.
    pub fn enter(&self, call: &str) -> EnteredHere {
        let name = self.calls.iter().find(|(known, _)| *known == call).map(|(_, name)| *name);
        EnteredHere::new(name.map_or(ptr::null(), ptr::from_ref))
    }
}

/// While this lives, this thread is in the call.
pub struct EnteredHere {
    before: *const String,
}

impl EnteredHere {
    fn new(name: *const String) -> Self {
        ENTERED.fetch_add(1, Ordering::Relaxed);
        RUNNING_ON_THREADS.fetch_add(1, Ordering::AcqRel);
        ON_THREADS.store(name.cast_mut(), Ordering::Release);
        Self { before: OF_THREAD.replace(name) }
    }
}

impl Drop for EnteredHere {
    fn drop(&mut self) {
        OF_THREAD.set(self.before);
        RUNNING_ON_THREADS.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The loader opens a plugin's file, whose constructors run.
pub fn enter_opening(shown: &std::path::Path) -> Entered {
    Entered::new(kept(format!("plugin {}, while it is opened", thaw_terminal::escape::path(shown))))
}

/// While this lives, the process and this thread are in the call.
pub struct Entered {
    before: *mut String,
    before_on_thread: *const String,
}

impl Entered {
    fn new(name: &'static String) -> Self {
        ENTERED.fetch_add(1, Ordering::Relaxed);
        let name = ptr::from_ref(name);
        let before = CURRENT.swap(name.cast_mut(), Ordering::AcqRel);
        Self { before, before_on_thread: OF_THREAD.replace(name) }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        CURRENT.store(self.before, Ordering::Release);
        OF_THREAD.set(self.before_on_thread);
    }
}

/// Who is called now, and in what: on this thread, else on the main one, else on any. `None` outside of
/// plugins. Signal handlers may ask.
pub fn current() -> Option<&'static str> {
    let here = OF_THREAD.get();
    let main = CURRENT.load(Ordering::Acquire).cast_const();
    let elsewhere = || match RUNNING_ON_THREADS.load(Ordering::Acquire) {
        0 => ptr::null(),
        _ => ON_THREADS.load(Ordering::Acquire).cast_const(),
    };
    let found = [here, main].into_iter().find(|name| !name.is_null()).unwrap_or_else(elsewhere);
    // SAFETY: null, or a name that is never freed or changed.
    unsafe { found.as_ref() }.map(String::as_str)
}

/// The same for the calling thread alone.
pub fn of_this_thread() -> Option<&'static str> {
    // SAFETY: null, or a name that is never freed or changed.
    unsafe { OF_THREAD.get().as_ref() }.map(String::as_str)
}

/// The number of calls so far: while it stays the same, so does the call.
pub fn count() -> u64 {
    ENTERED.load(Ordering::Relaxed)
}

/// From now on nothing is said of the present call: the user ends the program.
pub fn forget() {
    CURRENT.store(ptr::null_mut(), Ordering::Release);
    ON_THREADS.store(ptr::null_mut(), Ordering::Release);
    OF_THREAD.set(ptr::null());
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
    fn a_call_on_a_thread_is_seen_there_and_forgotten_when_it_ends() {
        let dataset = SharedCaller::new(Kind::Dataset, "d", "p", &["get"]);
        let name = "dataset `d` of plugin `p`, in `get`";
        let seen = std::thread::scope(|scope| {
            let threads = (0..4).map(|_| {
                scope.spawn(|| {
                    let entered = dataset.enter("get");
                    let inside = current();
                    drop(entered);
                    inside
                })
            });
            threads.map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert_eq!(seen, [Some(name); 4]);
        assert_ne!(current(), Some(name));
    }

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

    #[test]
    fn a_call_is_of_the_thread_that_it_runs_on() {
        let mut callback = Caller::new(Kind::Callback, "c", "q");
        let call = callback.enter("setup");
        assert_eq!(of_this_thread(), Some("callback `c` of plugin `q`, in `setup`"));
        assert_eq!(std::thread::spawn(of_this_thread).join().unwrap(), None);
        drop(call);
        assert_eq!(of_this_thread(), None);
    }
}
