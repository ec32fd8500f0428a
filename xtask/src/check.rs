//! `cargo xtask check`: `host plugin check` on the plugins that ship and on those of the crates under
//! `examples/`.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;

use crate::examples::Example;
use crate::stage::{Stages, stage};
use crate::workspace::{Profile, Workspace, succeed};

/// Builds them and checks each, whatever fails on the way.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    stage("Building the workspace", || workspace.build_all(Profile::Dev))?;
    let mut stages = Stages::default();
    for example in Example::all(workspace)? {
        stages
            .run(&format!("Building {}", example.name()), || succeed(&mut example.cargo(workspace, "build")));
    }
    check_all(workspace, &mut stages)?;
    stages.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Keys for the plugins whose ids are nothing without, a schedule, a file, or refuse the model of the checks.
fn config(workspace: &Workspace, plugin: &str) -> Option<String> {
    match plugin {
        "thaw-phased-finetuning" => {
            let head = r#"{ name = "head", modules = ["head"], end = { epoch = 2 } }"#;
            Some(format!(r#"phases = [{head}, {{ name = "all", modules = ["*"], lr = {{ ratio = 0.1 }} }}]"#))
        }
        "thaw-weight-averaging" => Some("use_buffers = true".to_owned()),
        "thaw-torch-export" => {
            Some(format!("path = {:?}", workspace.path("tests/fixtures/exported/convnet.pt2")))
        }
        "thaw-torchscript" => {
            Some(format!("path = {:?}", workspace.path("tests/fixtures/models/files/script_classifier.pt")))
        }
        _ => None,
    }
}

/// Checks what is built, each plugin as a stage.
pub fn check_all(workspace: &Workspace, stages: &mut Stages) -> Result<()> {
    let library = |folder: &Path, name: &str| {
        folder.join(format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_")))
    };
    let shipped = workspace
        .packages_in("plugins")
        .map(|name| (name.to_owned(), library(&workspace.target().join("debug"), name)));
    let mut plugins: Vec<(String, PathBuf)> = shipped.collect();
    let folder = workspace.target().join("examples/debug");
    plugins.extend(
        Example::all(workspace)?
            .iter()
            .filter(|example| example.is_plugin())
            .map(|example| (example.name(), library(&folder, &example.folder_name()))),
    );
    for (name, file) in plugins {
        let mut command = workspace.program(Profile::Dev, "host");
        command.args(["plugin", "check"]).arg(file);
        if let Some(config) = config(workspace, &name) {
            command.args(["--config", &config]);
        }
        stages.run(&format!("Checking {name}"), || succeed(&mut command));
    }
    Ok(())
}
