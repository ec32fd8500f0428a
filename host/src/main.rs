//! The program `host`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(thaw_host::cli::main())
}
