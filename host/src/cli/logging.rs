//! The program's log, on stderr: warnings, with -v more, with -q errors only; `THAW_LOG` overrides.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use super::Options;

/// Sets the log up. Has to come before plugins are loaded: they learn its level then.
pub fn init(options: &Options) {
    let default = match (options.quiet, options.verbose) {
        (true, _) => "error",
        (_, 0) => "warn,thaw_host=info,plugin=info",
        (_, 1) => "warn,thaw_host=debug,plugin=debug",
        _ => "trace",
    };
    let asked = std::env::var("THAW_LOG").ok().map(EnvFilter::try_new);
    let (filter, wrong) = match asked.transpose() {
        Ok(filter) => (filter.unwrap_or_else(|| EnvFilter::new(default)), None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let format = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // It would tell them on stderr, and panic where nobody reads that any more.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time();
    // Set already when the program runs inside a test.
    let _ = if options.verbose > 0 { format.try_init() } else { format.with_target(false).try_init() };
    if let Some(error) = wrong {
        tracing::warn!("THAW_LOG is left out of account: {error}");
    }
}
