//! The root of a plugin: what the host finds first.

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RBox, RStr, RString};

use super::{RawDataset_TO, RawInstance_TO, RawLog_Ref, RawModel_TO, RawResult};

/// A strategy or callback, owned.
pub type BoxedInstance = RawInstance_TO<'static, RBox<()>>;

/// A model, owned.
pub type BoxedModel = RawModel_TO<'static, RBox<()>>;

/// A data set, owned.
pub type BoxedDataset = RawDataset_TO<'static, RBox<()>>;

/// The functions of a plugin. Its version is that of `thaw-plugin-api`.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot_Ref)))]
pub struct PluginRoot {
    /// [`Metadata`](super::Metadata) as JSON.
    pub metadata: extern "C" fn() -> RString,
    /// Called once after loading: connects `tracing` to the host's log under this number.
    pub initialise: extern "C" fn(RawLog_Ref, u64),
    /// A strategy or callback by kind, id and configuration (JSON).
    pub create: extern "C" fn(RStr<'_>, RStr<'_>, RStr<'_>) -> RawResult<BoxedInstance>,
    /// A model by id and configuration (JSON).
    #[sabi(last_prefix_field)]
    pub create_model: extern "C" fn(RStr<'_>, RStr<'_>) -> RawResult<BoxedModel>,
    /// A data set by id and configuration (JSON); since 1.2.
    pub create_dataset: extern "C" fn(RStr<'_>, RStr<'_>) -> RawResult<BoxedDataset>,
}

impl RootModule for PluginRoot_Ref {
    abi_stable::declare_root_module_statics! {PluginRoot_Ref}
    const BASE_NAME: &'static str = "thaw_plugin";
    const NAME: &'static str = "thaw_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
