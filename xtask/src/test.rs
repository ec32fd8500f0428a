//! `cargo xtask test`: every test there is, the models against PyTorch's, `host plugin check` on every
//! plugin, and two minutes of torture.

use std::process::ExitCode;

use anyhow::Result;

use crate::check::check_all;
use crate::examples::Example;
use crate::references::{References, Skipping};
use crate::stage::{Stages, stage};
use crate::torture;
use crate::workspace::{Profile, Workspace, succeed};

/// Builds all that end-to-end tests start or load, then runs everything, whatever fails on the way.
pub fn run(workspace: &Workspace, skipping: Skipping) -> Result<ExitCode> {
    stage("Building the workspace", || workspace.build_all(Profile::Dev))?;
    let examples = Example::all(workspace)?;
    let mut stages = Stages::default();
    for example in &examples {
        stages
            .run(&format!("Building {}", example.name()), || succeed(&mut example.cargo(workspace, "build")));
    }
    stages.run("Testing the workspace", || {
        succeed(workspace.cargo().args(["test", "--workspace", "--no-fail-fast"]))
    });
    for example in &examples {
        stages.run(&format!("Testing {}", example.name()), || {
            succeed(example.cargo(workspace, "test").arg("--no-fail-fast"))
        });
    }
    for folder in ["models", "models_more"] {
        let folder = workspace.path("tests/fixtures").join(folder);
        let mut comparison = References::Models.comparison(workspace, &folder);
        skipping.tell(&mut comparison);
        stages.run("Comparing models with PyTorch", || succeed(&mut comparison));
    }
    let folder = workspace.path("tests/fixtures/exported");
    stages.run("Comparing exported programs with PyTorch", || {
        succeed(&mut References::Exported.comparison(workspace, &folder))
    });
    check_all(workspace, &mut stages)?;
    stages
        .run("Torture, two minutes of it", || succeed(torture::program(workspace).args(["--minutes", "2"])));
    stages.finish()?;
    eprintln!("All tests passed.");
    Ok(ExitCode::SUCCESS)
}
