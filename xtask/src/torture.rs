//! `cargo xtask torture [NAME…]`: kills, failing system calls, damaged checkpoints and mutated files.
//!
//! A program of the `tests` crate does it; this file builds everything and hands over.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::stage::stage;
use crate::workspace::{Profile, Workspace, exit_code, show};

#[derive(clap::Args)]
pub struct Args {
    /// Minutes after which no round is begun
    #[arg(long, default_value_t = 10.0)]
    minutes: f64,
    /// Which rounds: the same again, or others
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// This round alone
    #[arg(long)]
    round: Option<u64>,
    /// Which attacks [default: all]; a name that is none shows those there are
    names: Vec<String>,
}

/// The program, which `build_all` builds.
pub fn program(workspace: &Workspace) -> Command {
    workspace.program(Profile::Dev, "torture")
}

/// Builds everything and tortures. Exits with the program's own code.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    stage("Building the workspace", || workspace.build_all(Profile::Dev))?;
    let mut program = program(workspace);
    program.args(["--minutes", &args.minutes.to_string(), "--seed", &args.seed.to_string()]);
    if let Some(round) = args.round {
        program.args(["--round", &round.to_string()]);
    }
    program.args(&args.names);
    let status = program.status().with_context(|| format!("cannot run {}", show(&program)))?;
    Ok(exit_code(status))
}
