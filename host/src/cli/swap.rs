//! `host swap`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use super::{Options, session, tell};
use crate::Error;
use crate::cli::print;
use crate::error::io;
use thaw_plugins::{LoadedPlugin, SearchPath};
use thaw_train::mailbox::token;
use thaw_train::swap::{SwapError, SwapRequest, ask};

/// Arguments of `host swap`.
#[derive(Args)]
pub struct SwapArgs {
    /// The run directory of a live run. Name the new strategy's plugin with --plugin.
    #[arg(value_name = "RUN_DIR")]
    run_dir: PathBuf,
    /// Sets a key of the new strategy, such as unfreeze_at_epoch=5; id=… chooses among those of the plugin. A
    /// strategy with the old one's id keeps its settings.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The strategy to replace, where the run has several.
    #[arg(long, value_name = "ID")]
    replace: Option<String>,
    /// Withdraws the request where the run does not come to its next epoch in this time. Default: waits for
    /// it.
    #[arg(long, value_name = "SECONDS", value_parser = super::seconds)]
    timeout: Option<Duration>,
}

/// Asks a live run to replace its strategy, and waits for its answer.
///
/// # Errors
/// The run is not live, refuses, or does not answer in time.
pub fn run(options: &Options, args: SwapArgs) -> Result<(), Error> {
    let [plugin] = options.plugins.as_slice() else {
        return Err(SwapError::Plugins(options.plugins.len()).into());
    };
    let plugin = SearchPath::of_process(&options.plugin_dirs).find(plugin, Path::new(""))?;
    let plugin = std::path::absolute(&plugin).unwrap_or(plugin);
    // A library that ends the process when it is loaded is to end this one, and not the run. What else is
    // wrong with it the run says.
    drop(LoadedPlugin::open(&plugin));
    let stop = session::watch_interrupts();
    let folder = std::env::current_dir().map_err(io("the working directory"))?;
    let request = SwapRequest { token: token(), plugin, set: args.set, folder, replace: args.replace };
    let asked = |process: &str| {
        if !options.quiet {
            tell(format_args!("asked process {process}; it answers at its next epoch"));
        }
    };
    let swap = ask(&args.run_dir, &request, args.timeout, asked, || stop.is_stopped())?;
    print(format_args!(
        "from epoch {} on `{}` ({} {}) replaces `{}`",
        swap.epoch + 1,
        swap.id,
        swap.plugin,
        swap.version,
        swap.replaced
    ))
}
