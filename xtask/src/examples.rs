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
        let example = Self { asks_for_torch: asks_for_torch(&metadata, &folder)?, folder };
        if !example.asks_for_torch && builds_torch(&metadata) {
            bail!(
                "{} must build without libtorch, as it does not ask for the feature `torch` of thaw-plugin-api, \
                 but torch-sys is among what it builds: see `cargo tree --invert torch-sys` there",
                example.name()
            );
        }
        Ok(example)
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

/// Reads the crate's own dependencies.
fn asks_for_torch(metadata: &Value, folder: &Path) -> Result<bool> {
    let manifest = folder.join("Cargo.toml");
    let package = list(&metadata["packages"])
        .find(|package| package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest))
        .with_context(|| format!("`cargo metadata` does not list {}", manifest.display()))?;
    Ok(list(&package["dependencies"]).any(|dependency| {
        dependency["name"] == "thaw-plugin-api"
            && list(&dependency["features"]).any(|feature| feature == "torch")
    }))
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
        assert!(asks_for_torch(&metadata_with(&["torch"], "serde"), folder).unwrap());
        assert!(!asks_for_torch(&metadata_with(&[], "serde"), folder).unwrap());
        assert!(asks_for_torch(&metadata_with(&[], "serde"), Path::new("/code/z")).is_err());
    }

    #[test]
    fn torch_sys_in_the_graph_is_seen() {
        assert!(builds_torch(&metadata_with(&[], "torch-sys")));
        assert!(!builds_torch(&metadata_with(&[], "serde")));
    }
}
