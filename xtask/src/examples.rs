//! The crates under `examples/`: workspaces of their own, as an outside author's are.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::workspace::{Workspace, metadata};

/// One crate under `examples/`.
pub struct Example {
    folder: PathBuf,
    /// Whether it asks for the feature `torch` of `thaw-plugin-api`. Where it does not, it must build on a
    /// machine without libtorch.
    asks_for_torch: bool,
    /// Whether it is a plugin; else it is a program.
    is_plugin: bool,
}

impl Example {
    /// Every folder of `examples/` with a `Cargo.toml`, by name.
    pub fn all(workspace: &Workspace) -> Result<Vec<Self>> {
        let top = workspace.path("examples");
        let entries = fs::read_dir(&top).with_context(|| format!("cannot read {}", top.display()))?;
        let mut folders = Vec::new();
        for entry in entries {
            let folder = entry.with_context(|| format!("cannot read {}", top.display()))?.path();
            if folder.join("Cargo.toml").is_file() {
                folders.push(folder);
            }
        }
        folders.sort();
        folders.into_iter().map(|folder| Self::read(workspace, folder)).collect()
    }

    fn read(workspace: &Workspace, folder: PathBuf) -> Result<Self> {
        let metadata = metadata(workspace.cargo().current_dir(&folder))?;
        let package = package_of(&metadata, &folder)?;
        let (asks_for_torch, is_plugin) = (asks_for_torch(package), is_plugin(package));
        let example = Self { folder, asks_for_torch, is_plugin };
        if !example.asks_for_torch && builds_torch(&metadata) {
            bail!(
                "{} must build without libtorch, as it does not ask for the feature `torch` of \
                 thaw-plugin-api, but torch-sys is among what it builds: see `cargo tree --invert torch-sys` \
                 there",
                example.name()
            );
        }
        Ok(example)
    }

    /// Whether it makes a library to load.
    pub fn is_plugin(&self) -> bool {
        self.is_plugin
    }

    /// `examples/<folder>`.
    pub fn name(&self) -> String {
        format!("examples/{}", self.folder_name())
    }

    /// The folder, which is named as its package.
    pub fn folder_name(&self) -> String {
        self.folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A cargo command for this crate. All examples share `target/examples`, for speed. One that needs no
    /// libtorch finds none.
    pub fn cargo(&self, workspace: &Workspace, subcommand: &str) -> Command {
        let mut command = workspace.cargo();
        command
            .arg(subcommand)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", workspace.target().join("examples"));
        if !self.asks_for_torch {
            command
                .env("LIBTORCH", workspace.target().join("no-libtorch-here"))
                .env_remove("LIBTORCH_USE_PYTORCH");
        }
        command
    }
}

/// What cargo says of the crate itself.
fn package_of<'m>(metadata: &'m Value, folder: &Path) -> Result<&'m Value> {
    let manifest = folder.join("Cargo.toml");
    list(&metadata["packages"])
        .find(|package| package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest))
        .with_context(|| format!("`cargo metadata` does not list {}", manifest.display()))
}

/// Reads the crate's own dependencies.
fn asks_for_torch(package: &Value) -> bool {
    list(&package["dependencies"]).any(|dependency| {
        dependency["name"] == "thaw-plugin-api"
            && list(&dependency["features"]).any(|feature| feature == "torch")
    })
}

fn is_plugin(package: &Value) -> bool {
    list(&package["targets"]).any(|target| list(&target["crate_types"]).any(|kind| kind == "cdylib"))
}

/// Whether torch-sys is in the resolved graph.
fn builds_torch(metadata: &Value) -> bool {
    list(&metadata["packages"]).any(|package| package["name"] == "torch-sys")
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn metadata_with(features: &[&str], other: &str) -> Value {
        json!({"packages": [
            {"name": "x", "manifest_path": "/code/x/Cargo.toml",
             "dependencies": [{"name": "thaw-plugin-api", "features": features}]},
            {"name": other, "manifest_path": "/code/y/Cargo.toml", "dependencies": []},
        ]})
    }

    #[test]
    fn the_feature_torch_tells_who_needs_libtorch() {
        let folder = Path::new("/code/x");
        let asks = |metadata: Value| asks_for_torch(package_of(&metadata, folder).unwrap());
        assert!(asks(metadata_with(&["torch"], "serde")));
        assert!(!asks(metadata_with(&[], "serde")));
        assert!(package_of(&metadata_with(&[], "serde"), Path::new("/code/z")).is_err());
    }

    #[test]
    fn a_crate_that_makes_a_library_to_load_is_a_plugin() {
        assert!(is_plugin(&json!({"targets": [{"crate_types": ["cdylib"]}]})));
        assert!(!is_plugin(&json!({"targets": [{"crate_types": ["bin"]}]})));
    }

    #[test]
    fn torch_sys_in_the_graph_is_seen() {
        assert!(builds_torch(&metadata_with(&[], "torch-sys")));
        assert!(!builds_torch(&metadata_with(&[], "serde")));
    }
}
