//! Ways to end a process that no error reports.

use std::ffi::c_int;

unsafe extern "C" {
    fn _exit(code: c_int) -> !;
}

/// Ends the process with exit code 0, without running what a process runs at its end.
pub fn quit() -> ! {
    // SAFETY: takes any number.
    unsafe { _exit(0) }
}

/// Writes where there is no memory.
pub fn crash() {
    let nowhere = std::hint::black_box(8_usize) as *mut u64;
    // SAFETY: there is none: this is the fault that is tested.
    unsafe { nowhere.write_volatile(1) };
}

/// The same on a thread called `elsewhere`, which is waited for.
pub fn crash_elsewhere() {
    let thread = std::thread::Builder::new().name("elsewhere".to_owned()).spawn(crash);
    drop(thread.map(std::thread::JoinHandle::join));
}

/// Says so on standard error, and does not come back.
pub fn hang(hook: &str) -> ! {
    eprintln!("hangs in {hook}");
    loop {
        std::thread::park();
    }
}
