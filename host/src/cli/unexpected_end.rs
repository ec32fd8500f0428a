//! A plugin that ends the program, crashes it or does not come back: says who it was.
//!
//! What runs here may run in a signal handler, or while the process is being ended: it writes with `write`,
//! takes no lock and no memory.

use std::ffi::c_int;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::time::Duration;

use thaw_plugins::calls;

/// Signals that a crash sends, with their names.
const FATAL: [(c_int, &str); 5] = [
    (libc::SIGSEGV, "SIGSEGV, an access to memory that is not there"),
    (libc::SIGBUS, "SIGBUS, an access to memory or to a part of a file that is not there"),
    (libc::SIGILL, "SIGILL, an instruction that this machine does not have"),
    (libc::SIGFPE, "SIGFPE, a division of integers by zero"),
    (libc::SIGABRT, "SIGABRT, it called abort"),
];

/// What the program did at these signals before, in the same order.
static BEFORE: [AtomicPtr<libc::sigaction>; FATAL.len()] =
    [const { AtomicPtr::new(std::ptr::null_mut()) }; FATAL.len()];

/// Exit code of a plugin that failed.
const PLUGIN_FAILED: c_int = 3;

/// How long a call may go on after an interrupt until the user is told whose it is.
const PATIENCE: Duration = Duration::from_secs(1);

/// From now on a process that ends inside of a plugin says so.
pub fn watch() {
    // SAFETY: a function of this program, which does what may be done while a process ends.
    unsafe { libc::atexit(at_exit) };
    for (index, (signal, _)) in FATAL.iter().enumerate() {
        // SAFETY: both actions are whole; the old one stays for good, where the handler finds it. The handler
        // does what a signal handler may do, on the stack that the standard library keeps for it.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            let mut before: Box<libc::sigaction> = Box::new(std::mem::zeroed());
            action.sa_sigaction = at_fatal_signal as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&mut action.sa_mask);
            if libc::sigaction(*signal, &action, &mut *before) == 0 {
                BEFORE[index].store(Box::into_raw(before), Ordering::Release);
            }
        }
    }
}

/// Ends the process at once, as `_exit` does, and says so where a plugin asked for it.
pub fn exit_at_once(code: c_int) -> ! {
    let code = tell_of_exit().unwrap_or(code);
    #[cfg(target_os = "linux")]
    // SAFETY: ends the process; nothing of this program is used again.
    unsafe {
        libc::syscall(libc::SYS_exit_group, code);
    }
    std::process::abort()
}

/// Ends the process as the C library's `exit` does; where a plugin asks for it, at once, and says so.
pub fn exit(code: c_int) -> ! {
    if calls::current().is_some() {
        exit_at_once(code)
    }
    // SAFETY: what follows this program's `exit` under the name is the C library's, of the same type.
    unsafe {
        let next = libc::dlsym(libc::RTLD_NEXT, c"exit".as_ptr());
        if !next.is_null() {
            let exit: extern "C" fn(c_int) -> ! = std::mem::transmute(next);
            exit(code)
        }
    }
    std::process::abort()
}

extern "C" fn at_exit() {
    if let Some(code) = tell_of_exit() {
        calls::forget();
        // SAFETY: ends the process.
        unsafe { libc::_exit(code) }
    }
}

/// Says which plugin ends the process, where one does; gives the exit code then.
fn tell_of_exit() -> Option<c_int> {
    let call = calls::current()?;
    say(&["error: ", call, ": the plugin ended the program (exit); it has to return an error instead\n"]);
    Some(PLUGIN_FAILED)
}

extern "C" fn at_fatal_signal(signal: c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let index = FATAL.iter().position(|(known, _)| *known == signal);
    let what = index.map_or("a signal", |index| FATAL[index].1);
    match (calls::of_this_thread(), calls::current()) {
        (Some(call), _) => say(&["error: ", call, ": the plugin crashed (", what, ")\n"]),
        // Whose thread it is, nobody knows: the loader's, one of libtorch, or one that the plugin started.
        (None, Some(call)) => {
            let mut name = [0; THREAD_NAME];
            let name = thread_name(&mut name);
            say(&[
                "error: thread `",
                name,
                "` crashed (",
                what,
                "), which is not the thread of ",
                call,
                "\n",
            ]);
        }
        (None, None) => {}
    }
    // SAFETY: puts back what was there, and lets it have the signal: a fault happens again when this returns,
    // a signal that somebody sent is sent once more.
    unsafe {
        let before =
            index.map(|index| BEFORE[index].load(Ordering::Acquire)).filter(|before| !before.is_null());
        match before {
            Some(before) => libc::sigaction(signal, before, std::ptr::null_mut()),
            None => {
                libc::signal(signal, libc::SIG_DFL);
                0
            }
        };
        if info.is_null() || (*info).si_code <= 0 {
            libc::raise(signal);
        }
    }
}

/// Longest name of a thread, with the zero at its end.
const THREAD_NAME: usize = 16;

/// The name of this thread, written into `buffer`.
fn thread_name(buffer: &mut [u8; THREAD_NAME]) -> &str {
    #[cfg(target_os = "linux")]
    // SAFETY: the system writes at most so many bytes, with a zero at the end.
    unsafe {
        libc::prctl(libc::PR_GET_NAME, buffer.as_mut_ptr());
    }
    let length = buffer.iter().position(|byte| *byte == 0).unwrap_or(0);
    match std::str::from_utf8(&buffer[..length]) {
        Ok(name) if length > 0 && !name.contains(char::is_control) => name,
        _ => "?",
    }
}

/// Writes to standard error, as a signal handler may.
fn say(texts: &[&str]) {
    for text in texts {
        // SAFETY: a whole text. Where nobody reads it, nobody is told.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
    }
}

/// After the first interrupt, says whose call the program still waits for, should it go on for long.
///
/// # Errors
/// The system gives no pipe, or lets nobody watch the signal.
pub fn tell_who_runs_after(signals: &[c_int]) -> std::io::Result<()> {
    let (mut interrupts, sender) = UnixStream::pair()?;
    for signal in signals {
        signal_hook::low_level::pipe::register(*signal, sender.try_clone()?)?;
    }
    std::thread::Builder::new().name("interrupts".to_owned()).spawn(move || {
        if interrupts.read_exact(&mut [0]).is_err() {
            return;
        }
        loop {
            let (call, count) = (calls::current(), calls::count());
            std::thread::sleep(PATIENCE);
            if let Some(call) = call.filter(|_| (calls::current(), calls::count()) == (call, count)) {
                super::tell(format_args!(
                    "the run stops when this call comes back: {call}; a second Ctrl-C ends the program at \
                     once, and what it did since its last checkpoint is lost"
                ));
                return;
            }
        }
    })?;
    Ok(())
}
