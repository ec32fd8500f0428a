//! Which file a SIGBUS is about.

use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// An address range of a mapped file. Never freed: a signal may come while the list is walked.
struct Watched {
    start: usize,
    /// 0 once the map is gone.
    end: AtomicUsize,
    message: Vec<u8>,
    next: *mut Watched,
}

/// All ranges, the newest first.
static WATCHED: AtomicPtr<Watched> = AtomicPtr::new(ptr::null_mut());

/// What SIGBUS did before.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// What is called before the process ends over a file that became shorter.
static BEFORE_EXIT: OnceLock<fn()> = OnceLock::new();

/// Sets what is called before the process ends over a file that became shorter, once for the process. It runs
/// in a signal handler: atomics alone.
pub fn before_exit(action: fn()) {
    let _ = BEFORE_EXIT.set(action);
}

/// Keeps a range watched while it lives.
#[derive(Debug)]
pub(super) struct Range(&'static AtomicUsize);

impl Range {
    /// Watches the addresses of a map.
    pub(super) fn watch(start: usize, length: usize, path: &Path) -> Range {
        BEFORE.get_or_init(install);
        let message = format!(
            "\nerror: {}: the file became shorter while the program read it, or its disk failed; put it back \
             and run again (a run goes on with --resume)\n",
            thaw_terminal::escape::path(path)
        );
        let watched = Box::leak(Box::new(Watched {
            start,
            end: AtomicUsize::new(start + length.next_multiple_of(PAGE)),
            message: message.into_bytes(),
            next: WATCHED.load(Ordering::Acquire),
        }));
        let new: *mut Watched = watched;
        // SAFETY: `new` was leaked above and is nobody else's until the exchange below makes it the first.
        while let Err(first) =
            unsafe { WATCHED.compare_exchange((*new).next, new, Ordering::AcqRel, Ordering::Acquire) }
        {
            // SAFETY: as above.
            unsafe { (*new).next = first };
        }
        // SAFETY: a leaked entry lives for ever, and is not written to any more but through its atomic.
        Range(unsafe { &(*new).end })
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        self.0.store(0, Ordering::Release);
    }
}

/// Maps end at the end of a page; every system's pages are a part of this.
const PAGE: usize = 1 << 16;

/// Puts the handler in place; gives the action that was there.
fn install() -> libc::sigaction {
    let mut before = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: both structures live through the call, zeros are valid for each of their fields, and the
    // handler has the form that SA_SIGINFO asks for.
    unsafe {
        let mut action: libc::sigaction = MaybeUninit::zeroed().assume_init();
        action.sa_sigaction = on_bus_error as *const () as usize;
        // On the alternative stack where a thread has one, as Rust's own handler.
        action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
        libc::sigemptyset(&mut action.sa_mask);
        if libc::sigaction(libc::SIGBUS, &action, before.as_mut_ptr()) != 0 {
            tracing::debug!("cannot watch for SIGBUS: {}", std::io::Error::last_os_error());
        }
        before.assume_init()
    }
}

/// Says which file it is and ends the process; anything else is left to what handled it before.
extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, _context: *mut libc::c_void) {
    // SAFETY: the system gives a valid `info`. Nothing here but atomics, leaked memory, write, sigaction,
    // raise and _exit, all of which a signal handler may use.
    unsafe {
        let address = (*info).si_addr() as usize;
        let mut entry = WATCHED.load(Ordering::Acquire);
        while let Some(watched) = entry.as_ref() {
            if watched.start <= address && address < watched.end.load(Ordering::Acquire) {
                libc::write(libc::STDERR_FILENO, watched.message.as_ptr().cast(), watched.message.len());
                // The file is at fault, not a plugin that another thread is in.
                if let Some(before_exit) = BEFORE_EXIT.get() {
                    before_exit();
                }
                libc::_exit(1);
            }
            entry = watched.next;
        }
        match BEFORE.get() {
            Some(before) => libc::sigaction(signal, before, ptr::null_mut()),
            None => libc::sigaction(signal, &MaybeUninit::zeroed().assume_init(), ptr::null_mut()),
        };
        libc::raise(signal);
    }
}
