//! The program's log, on stderr: warnings, with -v more, with -q errors only; `THAW_LOG` overrides.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Options;
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
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(AboveFoot)
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
