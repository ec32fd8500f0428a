//! Where a plugin named in a config or on the command line lies.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};

use super::PluginError;

/// Folders that plugins are looked for in: `--plugin-dir`, `$THAW_PLUGIN_PATH`, beside the program.
#[derive(Clone, Debug, Default)]
pub struct SearchPath(Vec<PathBuf>);

impl SearchPath {
    /// The search path of this process, `first` before the rest.
    pub fn of_process(first: &[PathBuf]) -> Self {
        let mut folders = first.to_vec();
        if let Some(path) = std::env::var_os("THAW_PLUGIN_PATH") {
            folders.extend(std::env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()));
        }
        let beside = std::env::current_exe().ok().and_then(|program| program.parent().map(Path::to_path_buf));
        folders.extend(beside);
        Self(folders)
    }

    /// The folders, in the order of the search.
    pub fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// The file of a plugin: a path as it is (relative ones from `base`), a name as `libthaw_<name>` or
    /// `lib<name>`.
    ///
    /// # Errors
    /// There is no such file.
    pub fn find(&self, name: &str, base: &Path) -> Result<PathBuf, PluginError> {
        if is_path(name) {
            let path = base.join(name);
            return if path.is_file() {
                Ok(path)
            } else {
                Err(PluginError::NotFound {
                    name: name.to_owned(),
                    names: name.to_owned(),
                    places: shown(&[base.to_path_buf()]),
                    hint: String::new(),
                })
            };
        }
        let underscored = name.replace('-', "_");
        let names = [
            format!("{DLL_PREFIX}thaw_{underscored}{DLL_SUFFIX}"),
            format!("{DLL_PREFIX}{underscored}{DLL_SUFFIX}"),
        ];
        let mut candidates = self.0.iter().flat_map(|folder| names.iter().map(move |file| folder.join(file)));
        candidates.find(|path| path.is_file()).ok_or_else(|| PluginError::NotFound {
            name: name.to_owned(),
            names: names.join(" and "),
            places: shown(&self.0),
            hint: self.nearest(name),
        })
    }

    /// The folders for a message.
    pub fn shown(&self) -> String {
        shown(&self.0)
    }

    /// The name most like this one among the libraries of the folders.
    fn nearest(&self, name: &str) -> String {
        let entries = self.0.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
        let files = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let names: Vec<String> = files
            .filter_map(|file| {
                let stem = file.strip_prefix(DLL_PREFIX)?.strip_suffix(DLL_SUFFIX)?;
                Some(stem.strip_prefix("thaw_").unwrap_or(stem).to_owned())
            })
            .collect();
        let nearest = thaw_plugin_api::nearest(name, names.iter().map(String::as_str));
        nearest.map(|nearest| format!("; there is `{nearest}`")).unwrap_or_default()
    }
}

/// Whether a plugin is named by its path, and not looked for.
pub fn is_path(name: &str) -> bool {
    name.contains(std::path::is_separator) || name.ends_with(DLL_SUFFIX)
}

fn shown(folders: &[PathBuf]) -> String {
    let shown: Vec<String> = folders
        .iter()
        .map(
            |folder| {
                if folder.as_os_str().is_empty() { ".".to_owned() } else { folder.display().to_string() }
            },
        )
        .collect();
    shown.join(", ")
}
