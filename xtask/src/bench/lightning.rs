//! PyTorch Lightning, in a virtual environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::Args;
use crate::pip;
use crate::stage::stage;
use crate::workspace::{Workspace, succeed};

/// What it is called among variants.
pub const VARIANT: &str = "lightning";

/// The Python that has it, where it is to be measured.
pub fn python(workspace: &Workspace, folder: &Path, args: &Args) -> Result<Option<PathBuf>> {
    match &args.python {
        _ if !args.lightning => Ok(None),
        Some(python) => Ok(Some(std::path::absolute(python)?)),
        None => stage("Installing Lightning", || environment(workspace, &folder.join("venv"))).map(Some),
    }
}

fn environment(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let python = folder.join("bin/python");
    if !python.is_file() {
        succeed(Command::new(pip::python()?).args(["-m", "venv"]).arg(folder))?;
    }
    let requirements = workspace.path("xtask/bench/requirements.txt");
    succeed(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements))?;
    Ok(python)
}
