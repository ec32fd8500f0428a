//! Opening one plugin file.

use std::path::{Path, PathBuf};

use libloading::Library;
use thaw_plugin_api::abi::abi_stable::library::{LibraryError, lib_header_from_path};
use thaw_plugin_api::abi::{Kind, Metadata, PluginRoot_Ref, contain};

use super::compatibility::{check_metadata, root_of};
use super::trust::{self, Identity};
use super::{Failure, Instance, PluginError, log, whole};
use crate::weights::sha256_file;

/// A plugin of this process.
pub struct LoadedPlugin {
    path: PathBuf,
    sha256: String,
    metadata: Metadata,
    root: PluginRoot_Ref,
}

impl LoadedPlugin {
    /// Opens and checks a file. Nothing of the plugin runs before the checks have passed but the constructors
    /// of its library.
    ///
    /// # Errors
    /// No library, no plugin, or one that does not fit this host.
    pub fn open(path: &Path) -> Result<Self, PluginError> {
        Self::open_checked(path, path, None)
    }

    /// Opens `copy`, a copy of the file `path`, which errors name.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_copy(path: &Path, copy: &Path) -> Result<Self, PluginError> {
        Self::open_checked(path, copy, None)
    }

    /// Opens a file if its SHA-256 is the expected one.
    ///
    /// # Errors
    /// As [`Self::open`], or another file.
    pub fn open_pinned(path: &Path, sha256: &str) -> Result<Self, PluginError> {
        Self::open_checked(path, path, Some(sha256))
    }

    fn open_checked(path: &Path, copy: &Path, pin: Option<&str>) -> Result<Self, PluginError> {
        trust::check(path)?;
        let io = |source| PluginError::Io { path: path.to_path_buf(), source };
        let path_found = copy.canonicalize().map_err(io)?;
        let identity = Identity::of(&path_found).map_err(io)?;
        let sha256 = sha256_file(&path_found).map_err(io)?;
        if let Some(expected) = pin.filter(|expected| !sha256.eq_ignore_ascii_case(expected)) {
            return Err(PluginError::Pin {
                path: path.to_path_buf(),
                found: sha256,
                expected: expected.to_owned(),
            });
        }
        map(path, &path_found)?;
        if Identity::of(&path_found).map_err(io)? != identity {
            return Err(PluginError::Changed { path: path.to_path_buf() });
        }
        let (root, metadata) = root_and_metadata(path, &path_found)?;
        check_metadata(path, &metadata)?;
        root.initialise()(log::table(), log::register(&metadata.name));
        Ok(Self { path: path_found, sha256, metadata, root })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// What the plugin says of itself.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// Whether it offers this id.
    pub fn offers(&self, kind: Kind, id: &str) -> bool {
        self.metadata.items.iter().any(|item| item.kind == kind && item.id == id)
    }

    /// The functions of the plugin.
    pub(crate) fn root(&self) -> PluginRoot_Ref {
        self.root
    }

    /// Makes a strategy or callback.
    ///
    /// # Errors
    /// The configuration does not fit, or the plugin fails.
    pub fn create(&self, kind: Kind, id: &str, config: &serde_json::Value) -> Result<Instance, PluginError> {
        let config = config.to_string();
        let made = contain(|| {
            Ok(self.root.create()(kind.to_string().as_str().into(), id.into(), config.as_str().into())
                .into_result()?)
        });
        match made {
            Ok(raw) => Ok(Instance::new(raw, kind, id, &self.metadata.name, &self.path)),
            Err(error) => Err(self.failure(kind, id, error)),
        }
    }

    /// Makes a model.
    ///
    /// # Errors
    /// The configuration does not fit, or the plugin fails.
    pub fn create_model(
        &self,
        id: &str,
        config: &serde_json::Value,
    ) -> Result<thaw_plugin_api::abi::BoxedModel, PluginError> {
        let config = config.to_string();
        let made = contain(|| Ok(self.root.create_model()(id.into(), config.as_str().into()).into_result()?));
        made.map_err(|error| self.failure(Kind::Model, id, error))
    }

    fn failure(&self, kind: Kind, id: &str, error: thaw_plugin_api::Error) -> PluginError {
        let (plugin, id) = (self.metadata.name.clone(), id.to_owned());
        Failure { plugin, kind, id, hook: "new".to_owned(), error }.into()
    }
}

/// Maps the library `file`, an absolute path, with all its symbols, where it is all there; errors name
/// `path`.
///
/// # Errors
/// The file cannot be read, or the system's loader refuses it.
pub(crate) fn map(path: &Path, file: &Path) -> Result<(), PluginError> {
    match whole::missing(file).map_err(|source| PluginError::Io { path: path.to_path_buf(), source })? {
        Some(reason) => Err(PluginError::NoLibrary { path: path.to_path_buf(), reason }),
        None => open_now(path, file),
    }
}

/// The functions of a library that [`map`] mapped, and what it says of itself, which is not judged here.
///
/// # Errors
/// No plugin, or one of another plugin-api.
pub(crate) fn root_and_metadata(path: &Path, file: &Path) -> Result<(PluginRoot_Ref, Metadata), PluginError> {
    let header = lib_header_from_path(file).map_err(|error| match error {
        LibraryError::GetSymbolError { .. } => PluginError::NoPlugin { path: path.to_path_buf() },
        other => PluginError::PluginApi {
            path: path.to_path_buf(),
            found: "of another ABI".to_owned(),
            expected: super::compatibility::PLUGIN_API.to_owned(),
            major: 1,
            details: other.to_string(),
        },
    })?;
    let root: PluginRoot_Ref = root_of(path, header)?;
    let text = root.metadata()();
    let metadata = serde_json::from_str(&text).map_err(|error| PluginError::Metadata {
        path: path.to_path_buf(),
        reason: format!("its metadata cannot be read: {error}"),
    })?;
    Ok((root, metadata))
}

/// Opens the library with all its symbols resolved now, so that a missing one fails here and not in a hook,
/// and never closes it.
fn open_now(path: &Path, file: &Path) -> Result<(), PluginError> {
    #[cfg(unix)]
    let opened = {
        use libloading::os::unix::{Library as UnixLibrary, RTLD_LOCAL, RTLD_NOW};
        // SAFETY: the library's constructors run; the user asked for this file, and plugins are native code
        // with the program's rights, as the README says.
        unsafe { UnixLibrary::open(Some(file), RTLD_NOW | RTLD_LOCAL) }.map(Library::from)
    };
    #[cfg(not(unix))]
    // SAFETY: as above.
    let opened = unsafe { Library::new(file) };
    let library = opened.map_err(|error| {
        let reason = error.to_string().replace('\n', " ");
        let reason = reason.strip_prefix(&format!("{}: ", file.display())).unwrap_or(&reason);
        PluginError::NoLibrary { path: path.to_path_buf(), reason: reason.to_owned() }
    })?;
    std::mem::forget(library);
    Ok(())
}
