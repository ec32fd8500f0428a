//! `cargo xtask …`: everything done around the workspace that is not a plain cargo command.
//!
//! One file per command. Each command puts libtorch in place first, so that a fresh clone needs no other
//! step.

mod bench;
mod book;
mod check;
mod demo;
mod examples;
mod gpu_bundle;
mod libtorch;
mod lint;
mod pip;
mod publish;
mod readers;
mod references;
mod stage;
mod test;
mod torture;
mod workspace;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use references::{References, Skipping};
use workspace::Workspace;

/// Set-up, demos, tests and measurements of the Thaw workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Put libtorch into .libtorch/ (skipped where it is, or where LIBTORCH or LIBTORCH_USE_PYTORCH names
    /// yours)
    Libtorch {
        /// Install into this folder instead, whatever the environment names
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Fine-tune a real model: prepare data and weights, build in release, run examples/NAME.toml
    Demo(demo::Args),
    /// Run every test: unit, end-to-end, documentation, the crates under examples/; then what `check` runs,
    /// and two minutes of `torture`
    Test {
        /// Get the real weights first; a reference that is skipped for want of them is a failure then
        #[arg(long)]
        fetch: bool,
    },
    /// Check format, lints and documentation of the workspace and of the crates under examples/
    Lint,
    /// Run `host plugin check` on the plugins that ship and on those under examples/
    Check,
    /// Compare the program with the training traces in DIR
    Parity {
        /// A folder of cases [default: $THAW_PARITY_CASES, else tests/fixtures/parity]
        dir: Option<PathBuf>,
    },
    /// Compare the models that ship with the reference outputs in DIR
    Models {
        /// A folder of references [default: $THAW_MODEL_FIXTURES, else tests/fixtures/models]
        dir: Option<PathBuf>,
        /// Get the real weights that some references are made with first, into weights/
        #[arg(long)]
        fetch: bool,
    },
    /// Compare exported programs (.pt2) in the plugin torch_export with the references in DIR
    Exported {
        /// A folder of pairs [default: $THAW_EXPORTED_FIXTURES, else tests/fixtures/exported]
        dir: Option<PathBuf>,
    },
    /// Let TensorBoard, MLflow and a browser (Chromium) read runs, and compare architectures that
    /// torch.export writes
    Readers(readers::Args),
    /// Kill runs, let system calls fail, damage checkpoints and mutate files: the program has to come through
    Torture(torture::Args),
    /// Build the guide, docs/, into target/book with mdBook
    Book,
    /// Make a folder that checks and measures everything on a machine with a GPU
    GpuBundle(gpu_bundle::Args),
    /// Measure: medians as JSON lines on standard output
    Bench(bench::Args),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    if let Command::Libtorch { into: Some(folder) } = &command {
        libtorch::install(folder)?;
        println!("libtorch: {}", folder.join("torch").display());
        return Ok(ExitCode::SUCCESS);
    }
    let mut workspace = Workspace::open()?;
    let libtorch = libtorch::provide(&workspace)?;
    workspace.use_libraries_of(&libtorch)?;
    let builds_no_test_plugins =
        matches!(command, Command::Libtorch { .. } | Command::Demo(_) | Command::Lint | Command::Book);
    let result = run_in(&workspace, command, &libtorch);
    if !builds_no_test_plugins {
        // Those that are made to be faulty would stand beside the real ones in `host plugin list`.
        workspace.put_test_plugins_away()?;
    }
    result
}

fn run_in(workspace: &Workspace, command: Command, libtorch: &Path) -> anyhow::Result<ExitCode> {
    match command {
        Command::Libtorch { .. } => {
            println!("libtorch: {}", libtorch.display());
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(args) => demo::run(workspace, &args),
        Command::Test { fetch } => {
            if fetch {
                demo::fetch_weights(workspace)?;
            }
            let skipping = if fetch { Skipping::Fails } else { Skipping::Passes };
            test::run(workspace, skipping)
        }
        Command::Check => check::run(workspace),
        Command::Lint => lint::run(workspace),
        Command::Parity { dir } => references::run(workspace, References::Parity, dir),
        Command::Models { dir, fetch } => {
            if fetch {
                demo::fetch_weights(workspace)?;
            }
            references::run(workspace, References::Models, dir)
        }
        Command::Exported { dir } => references::run(workspace, References::Exported, dir),
        Command::Readers(args) => readers::run(workspace, &args),
        Command::Torture(args) => torture::run(workspace, &args),
        Command::Book => book::run(workspace),
        Command::GpuBundle(args) => gpu_bundle::run(workspace, &args),
        Command::Bench(args) => bench::run(workspace, &args),
    }
}
