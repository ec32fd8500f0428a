//! Opening one plugin file.

use std::path::{Path, PathBuf};

use thaw_plugin_api::abi::abi_stable::library::{LibraryError, lib_header_from_path};
use thaw_plugin_api::abi::{BoxedDataset, Kind, Metadata, PluginRoot_Ref, contain};

use super::calls::{self, Caller};
use super::compatibility::{check_metadata, root_of};
use super::open::opened_text;
use super::working_directory::WorkingDirectory;
use super::{
    DatasetInstance, Failure, Instance, PluginError, PluginFile, Snapshot, links_libtorch, log, trust,
};

/// A plugin of this process.
pub struct LoadedPlugin {
    path: PathBuf,
    sha256: String,
    metadata: Metadata,
    links_libtorch: bool,
    root: PluginRoot_Ref,
}

impl LoadedPlugin {
    /// Opens and checks a private copy of a file. Nothing of the plugin runs before the checks have passed
    /// but the constructors of its library.
    ///
    /// # Errors
    /// No library, no plugin, or one that does not fit this host.
    pub fn open(path: &Path) -> Result<Self, PluginError> {
        Self::open_snapshot(path, Snapshot::take(path)?)
    }

    /// Opens a file if its SHA-256 is the expected one.
    ///
    /// # Errors
    /// As [`Self::open`], or another file.
    pub fn open_pinned(path: &Path, sha256: &str) -> Result<Self, PluginError> {
        Self::open_copy(path, path, sha256)
    }

    /// The same for `copy`, a copy of the file `path`, which errors name.
    ///
    /// # Errors
    /// As [`Self::open_pinned`].
    pub fn open_copy(path: &Path, copy: &Path, sha256: &str) -> Result<Self, PluginError> {
        trust::check(path)?;
        let snapshot = Snapshot::take(copy)?;
        let found = &snapshot.file().sha256;
        if !found.eq_ignore_ascii_case(sha256) {
            let (path, found, expected) = (path.to_path_buf(), found.clone(), sha256.to_owned());
            return Err(PluginError::Pin { path, found, expected });
        }
        Self::open_snapshot(path, snapshot)
    }

    /// Opens a private copy that was taken before of the file `path`, which errors name.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_snapshot(path: &Path, snapshot: Snapshot) -> Result<Self, PluginError> {
        let file = snapshot.file().clone();
        file.map(path)?;
        let opened = Self::open_mapped(path, file);
        snapshot.keep();
        opened
    }

    /// Opens a private copy that another process keeps.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_file(file: &PluginFile) -> Result<Self, PluginError> {
        file.map(&file.path)?;
        Self::open_mapped(&file.path, file.clone())
    }

    fn open_mapped(shown: &Path, file: PluginFile) -> Result<Self, PluginError> {
        let _directory = WorkingDirectory::before(opened_text(shown));
        let _entered = calls::enter_opening(shown);
        let (root, metadata) = root_and_metadata(shown, &file.opened)?;
        check_metadata(shown, &metadata)?;
        root.initialise()(log::table(), log::register(&metadata.name));
        let links_libtorch = links_libtorch(&file.opened)
            .map_err(|source| PluginError::Io { path: shown.to_path_buf(), source })?;
        Ok(Self { path: file.path, sha256: file.sha256, metadata, links_libtorch, root })
    }

    /// Something without a file of its own, which nobody can exchange: it has no SHA-256.
    pub(super) fn new(path: PathBuf, metadata: Metadata, root: PluginRoot_Ref) -> Self {
        Self { path, sha256: String::new(), metadata, links_libtorch: true, root }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// SHA-256 of the file, hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Whether its code calls libtorch, with or without a model.
    pub fn links_libtorch(&self) -> bool {
        self.links_libtorch
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
    pub fn root(&self) -> PluginRoot_Ref {
        self.root
    }

    /// Makes a strategy or callback.
    ///
    /// # Errors
    /// The configuration does not fit, or the plugin fails.
    pub fn create(&self, kind: Kind, id: &str, config: &serde_json::Value) -> Result<Instance, PluginError> {
        let config = config.to_string();
        let mut caller = Caller::new(kind, id, &self.metadata.name);
        let _directory = WorkingDirectory::before(caller.who());
        let _entered = caller.enter("new");
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
        let mut caller = Caller::new(Kind::Model, id, &self.metadata.name);
        let _directory = WorkingDirectory::before(caller.who());
        let _entered = caller.enter("new");
        let made = contain(|| Ok(self.root.create_model()(id.into(), config.as_str().into()).into_result()?));
        made.map_err(|error| self.failure(Kind::Model, id, error))
    }

    /// Opens a data set.
    ///
    /// # Errors
    /// The configuration does not fit, or the plugin fails.
    pub fn create_dataset(
        &self,
        id: &str,
        config: &serde_json::Value,
    ) -> Result<DatasetInstance, PluginError> {
        let raw = self.raw_dataset(id, config).map_err(|error| self.failure(Kind::Dataset, id, error))?;
        Ok(DatasetInstance::new(raw, id, &self.metadata.name)?)
    }

    /// The same as the plugin gives it.
    ///
    /// # Errors
    /// The plugin's.
    pub fn raw_dataset(&self, id: &str, config: &serde_json::Value) -> thaw_plugin_api::Result<BoxedDataset> {
        let config = config.to_string();
        let _entered = Caller::new(Kind::Dataset, id, &self.metadata.name).enter("new");
        let create = self
            .root
            .create_dataset()
            .ok_or_else(|| thaw_plugin_api::Error::new("the plugin was built before there were data sets"))?;
        contain(|| Ok(create(id.into(), config.as_str().into()).into_result()?))
    }

    fn failure(&self, kind: Kind, id: &str, error: thaw_plugin_api::Error) -> PluginError {
        let (plugin, id) = (self.metadata.name.clone(), id.to_owned());
        Failure { plugin, kind, id, hook: "new".to_owned(), error }.into()
    }
}

/// The functions of a library that [`PluginFile::map`] mapped, and what it says of itself, which is not
/// judged here.
///
/// # Errors
/// No plugin, or one of another plugin-api.
pub fn root_and_metadata(path: &Path, file: &Path) -> Result<(PluginRoot_Ref, Metadata), PluginError> {
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
    let metadata = Metadata::read(&text).map_err(|error| PluginError::Metadata {
        path: path.to_path_buf(),
        reason: format!("its metadata cannot be read: {error}"),
    })?;
    Ok((root, metadata))
}
