//! `cargo xtask book`: the guide as a website, by mdBook.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::stage::stage;
use crate::workspace::{Workspace, succeed};

/// The mdBook that the guide is built with, whatever else is installed.
const MDBOOK: &str = "0.5.4";

/// Builds the guide into `target/book`; gets mdBook first where it is not there yet.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let tools = workspace.target().join(format!("mdbook-{MDBOOK}"));
    let mdbook = tools.join("bin").join(format!("mdbook{}", std::env::consts::EXE_SUFFIX));
    if !mdbook.is_file() {
        stage(&format!("Building mdBook {MDBOOK} (minutes, once)"), || {
            let mut cargo = workspace.cargo();
            cargo
                .args([
                    "install",
                    "mdbook",
                    "--version",
                    MDBOOK,
                    "--locked",
                    "--debug",
                    "--no-default-features",
                    "--root",
                ])
                .arg(&tools);
            succeed(&mut cargo)
        })?;
    }
    stage("Building the guide", || succeed(Command::new(mdbook).arg("build").arg(workspace.path("docs"))))?;
    println!("{}", workspace.target().join("book/index.html").display());
    Ok(ExitCode::SUCCESS)
}
