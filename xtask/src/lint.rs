//! `cargo xtask lint`: format, lints and documentation, of the workspace and of what is built outside of it.

mod width;

use std::process::ExitCode;

use anyhow::Result;

use crate::examples::Example;
use crate::stage::Stages;
use crate::workspace::{Workspace, succeed};

/// Runs every check, whatever fails on the way.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let mut stages = Stages::default();
    stages.run("Format", || succeed(workspace.cargo().args(["fmt", "--all", "--check"])));
    stages.run("Width of lines", || width::check(&workspace.path("")));
    stages.run("Clippy", || {
        succeed(workspace.cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
    });
    stages.run("Documentation", || {
        let mut command = workspace.cargo();
        command.args(["doc", "--workspace", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings");
        succeed(&mut command)
    });
    // What it is built on stays as it was.
    stages.run("Format of tests/abi/old-strategy", || {
        succeed(
            workspace.cargo().args(["fmt", "--check"]).current_dir(workspace.path("tests/abi/old-strategy")),
        )
    });
    for example in Example::all(workspace)? {
        stages.run(&format!("Format and clippy of {}", example.name()), || {
            succeed(example.cargo(workspace, "fmt").arg("--check"))?;
            succeed(example.cargo(workspace, "clippy").args(["--all-targets", "--", "-D", "warnings"]))
        });
    }
    stages.finish()?;
    Ok(ExitCode::SUCCESS)
}
