//! `cargo xtask parity [DIR]`, `models [DIR]` and `exported [DIR]`: the built program against recorded
//! references.
//!
//! The comparing is done by a program of the `tests` crate that drives `host` and its plugins; this file
//! builds them and hands over.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::stage::stage;
use crate::workspace::{Profile, Workspace, exit_code, show};

/// A set of references.
#[derive(Clone, Copy)]
pub enum References {
    /// Traces of training runs.
    Parity,
    /// Outputs of models.
    Models,
    /// Exported programs, with outputs and gradients.
    Exported,
}

/// What a reference means that is skipped for want of its weights.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Skipping {
    /// Nothing: the weights were not asked for.
    Passes,
    /// A failure.
    Fails,
}

impl Skipping {
    /// Tells a comparing program.
    pub fn tell(self, program: &mut Command) {
        if self == Self::Fails {
            program.env("THAW_REQUIRE_WEIGHTS", "1");
        }
    }
}

impl References {
    /// The program that compares, and the name of its fixtures.
    fn name(self) -> &'static str {
        match self {
            Self::Parity => "parity",
            Self::Models => "models",
            Self::Exported => "exported",
        }
    }

    /// The command that compares with the references of a folder.
    pub fn comparison(self, workspace: &Workspace, dir: &Path) -> Command {
        let mut program = workspace.program(Profile::Dev, self.name());
        program.arg(dir);
        program
    }

    /// The variable that names another folder.
    fn variable(self) -> &'static str {
        match self {
            Self::Parity => "THAW_PARITY_CASES",
            Self::Models => "THAW_MODEL_FIXTURES",
            Self::Exported => "THAW_EXPORTED_FIXTURES",
        }
    }
}

/// Builds everything and compares. Exits with the comparing program's own code.
pub fn run(workspace: &Workspace, references: References, dir: Option<PathBuf>) -> Result<ExitCode> {
    let name = references.name();
    let dir = match dir.or_else(|| env::var_os(references.variable()).map(PathBuf::from)) {
        // The program runs in the workspace's folder, we may have been started in another.
        Some(dir) => std::path::absolute(&dir).with_context(|| format!("{} is no path", dir.display()))?,
        None => workspace.path("tests/fixtures").join(name),
    };
    if !dir.is_dir() {
        bail!(
            "{} is not a folder. Name a folder of {name} references, or none for tests/fixtures/{name}",
            dir.display()
        );
    }
    stage("Building the workspace", || workspace.build_all(Profile::Dev))?;
    let mut program = references.comparison(workspace, &dir);
    let status = program.status().with_context(|| format!("cannot run {}", show(&program)))?;
    Ok(exit_code(status))
}
