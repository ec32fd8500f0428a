//! `cargo xtask readers`: what other programs make of Thaw's files, and Thaw of theirs.
//!
//! TensorBoard, a MLflow server and a browser read runs, and torchrun starts them; torch.export writes
//! architectures of torchvision, timm and transformers, which are compared. Their Python packages lie in a
//! virtual environment of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::pip;
use crate::references::References;
use crate::stage::{Stages, stage};
use crate::workspace::{Profile, Workspace, succeed};

#[derive(clap::Args)]
pub struct Args {
    /// A Python that has the packages of tests/readers/requirements.txt [default: one in target/readers,
    /// which gets them: a download of some 3 GB, once]
    #[arg(long, value_name = "FILE")]
    python: Option<PathBuf>,
}

/// Installs what is missing, builds everything, and compares.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let folder = workspace.target().join("readers");
    let python = match &args.python {
        Some(python) => std::path::absolute(python)?,
        None => stage("Installing the readers", || environment(workspace, &folder.join("venv")))?,
    };
    stage("Building the workspace", || workspace.build_all(Profile::Dev))?;
    let mut stages = Stages::default();
    stages.run("Reading runs with TensorBoard, MLflow and Chromium, starting them with torchrun", || {
        let mut tests = workspace.cargo();
        tests.args(["test", "--workspace", "--test", "readers", "--", "--ignored", "--test-threads", "1"]);
        succeed(tests.env("THAW_READERS_PYTHON", &python))
    });
    let exported = folder.join("exported");
    stages.run("Exporting architectures with torch.export", || {
        let script = workspace.path("tests/fixtures/exported/architectures.py");
        succeed(Command::new(&python).arg(script).arg(&exported))
    });
    stages.run("Comparing exported architectures with PyTorch", || {
        succeed(&mut References::Exported.comparison(workspace, &exported))?;
        // Some 6 GB.
        Ok(fs::remove_dir_all(&exported)?)
    });
    stages.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// A virtual environment with the packages; gives its Python.
fn environment(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.is_file() {
        succeed(Command::new(pip::python()?).args(["-m", "venv"]).arg(folder))?;
    }
    let requirements = workspace.path("tests/readers/requirements.txt");
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))?;
    Ok(python)
}
