//! The program `host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(thaw_host::cli::main())
}

/// What plugins get for the C library's `_exit`: it runs nothing that could tell of the end of the process,
/// so that a plugin would end the program without a word.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn _exit(code: std::ffi::c_int) -> ! {
    thaw_host::cli::exit_at_once(code)
}

/// The same by its name in the C standard.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn _Exit(code: std::ffi::c_int) -> ! {
    thaw_host::cli::exit_at_once(code)
}

/// What plugins get for the C library's `exit`: that one runs what libraries left to be run at the end while
/// other threads still use them.
#[cfg(target_os = "linux")]
#[unsafe(no_mangle)]
extern "C" fn exit(code: std::ffi::c_int) -> ! {
    thaw_host::cli::exit(code)
}
