//! Where a plugin crate finds `thaw-plugin-api`.

use std::path::{Path, PathBuf};

use super::ScaffoldError;

/// Where a plugin crate finds `thaw-plugin-api`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginApi {
    /// Sources on this machine.
    Folder(PathBuf),
    /// A registry, from this version on.
    Version(&'static str),
}

const PACKAGE: &str = "thaw-plugin-api";

impl PluginApi {
    /// The sources that this program was built from, where they still are; else the registry.
    pub fn of_this_program() -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("plugin-api");
        Self::in_folder(&folder).unwrap_or(Self::Version(thaw_plugin_api::VERSION))
    }

    /// Sources in this folder.
    ///
    /// # Errors
    /// There are none.
    pub fn in_folder(path: &Path) -> Result<Self, ScaffoldError> {
        let refused = |reason: String| ScaffoldError::PluginApi { path: path.to_path_buf(), reason };
        let folder = path.canonicalize().map_err(|error| refused(error.to_string()))?;
        let manifest = folder.join("Cargo.toml");
        let text = std::fs::read_to_string(&manifest)
            .map_err(|error| refused(format!("{}: {error}", manifest.display())))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            refused(format!("{}: {}", manifest.display(), error.message()))
        })?;
        match table.get("package").and_then(|package| package.get("name")?.as_str()) {
            Some(PACKAGE) => Ok(Self::Folder(folder)),
            Some(other) => Err(refused(format!("there is the package `{other}`, not `{PACKAGE}`"))),
            None => Err(refused(format!("{} is of no package", manifest.display()))),
        }
    }

    /// As keys of a dependency.
    pub(super) fn as_keys(&self) -> String {
        match self {
            Self::Folder(folder) => format!("path = {}", super::template::toml_text(folder)),
            Self::Version(version) => format!("version = \"{version}\""),
        }
    }
}
