//! The program's log, on stderr: warnings, with -v more, with -q errors only; `THAW_LOG` overrides.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::{Options, ranks};
use crate::progress::AboveFoot;

/// Whose events are shown below the level of a warning: the program's crates and the plugins.
const TARGETS: [&str; 9] = [
    "thaw_host",
    "thaw_check",
    "thaw_data",
    "thaw_files",
    "thaw_optim",
    "thaw_plugins",
    "thaw_torch",
    "thaw_train",
    "thaw_weights",
];

/// Warnings of every crate; of the program's own and of plugins also what is at this level.
fn of_the_program(level: &str) -> String {
    let own = TARGETS.iter().map(|target| format!(",{target}={level}")).collect::<String>();
    format!("warn,plugin={level}{own}")
}

/// Where the log goes.
enum Target {
    /// To stderr.
    Stderr,
    /// Nowhere yet: the file of this process is not there.
    Waiting(Vec<u8>),
    /// Into that file.
    File(File),
}

static TARGET: Mutex<Target> = Mutex::new(Target::Stderr);

fn target() -> MutexGuard<'static, Target> {
    TARGET.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *target() {
            Target::Stderr => AboveFoot.make_writer().write(bytes),
            Target::Waiting(said) => said.write(bytes),
            Target::File(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// From here on the log goes into this file, with what waits for one.
pub fn go_on_in(mut file: File) {
    let mut target = target();
    if let Target::Waiting(said) = &*target {
        // Where it cannot be written the run goes on, as with a stderr that nobody reads.
        let _ = file.write_all(said);
        *target = Target::File(file);
    }
}

/// Says on stderr what still waits for a file.
pub fn say_what_waits() {
    let mut target = target();
    if let Target::Waiting(said) = &*target {
        let _ = io::stderr().write_all(said);
        *target = Target::Stderr;
    }
}

/// Sets the log up. Has to come before plugins are loaded: they learn its level then.
pub fn init(options: &Options) {
    let default = match (options.quiet, options.verbose) {
        (true, _) => "error".to_owned(),
        (_, 0) => of_the_program("info"),
        (_, 1) => of_the_program("debug"),
        _ => "trace".to_owned(),
    };
    let asked = std::env::var("THAW_LOG").ok().map(EnvFilter::try_new);
    let (filter, wrong) = match asked.transpose() {
        Ok(filter) => (filter.unwrap_or_else(|| EnvFilter::new(&default)), None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    if ranks::is_quiet() {
        *target() = Target::Waiting(Vec::new());
    }
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(|| Writer)
        // It would tell them on stderr, and panic where nobody reads that any more.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal() && !no_colour())
        .without_time();
    // Set already when the program runs inside a test.
    let _ = if options.verbose > 0 { format.try_init() } else { format.with_target(false).try_init() };
    if let Some(error) = wrong {
        tracing::warn!("THAW_LOG is left out of account: {error}");
    }
}

/// Whether the user wants no colours, as https://no-color.org has it.
fn no_colour() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty())
}
