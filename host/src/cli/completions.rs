//! `host completions`.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, print};
use crate::Error;

/// Arguments of `host completions`.
#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints what a shell completes commands, options and their values with.
///
/// # Errors
/// The answer is lost.
pub fn run(args: &CompletionsArgs) -> Result<(), Error> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "host", &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}
