//! The root that another major version of `thaw-plugin-api` would give its plugins: another version and other
//! fields. A host must know it by the version and touch nothing else.

#![allow(non_local_definitions, non_camel_case_types)]

use abi_stable::StableAbi;
use abi_stable::library::{
    __call_root_module_loader, CheckTypeLayout, LibHeader, RootModule, RootModuleResult,
};
use abi_stable::package_version_strings;
use abi_stable::prefix_type::PrefixTypeTrait;
use abi_stable::sabi_types::VersionStrings;

/// A root with one function only.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRoot_Ref)))]
pub struct PluginRoot {
    /// Not what version 1 has here.
    #[sabi(last_prefix_field)]
    pub describe: extern "C" fn() -> u64,
}

impl RootModule for PluginRoot_Ref {
    abi_stable::declare_root_module_statics! {PluginRoot_Ref}
    const BASE_NAME: &'static str = "thaw_plugin";
    const NAME: &'static str = "thaw_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

extern "C" fn describe() -> u64 {
    unreachable!("a host of another major version called this")
}

extern "C" fn root() -> RootModuleResult {
    __call_root_module_loader(|| PluginRoot { describe }.leak_into_prefix())
}

#[unsafe(no_mangle)]
static _1as_0lib_1header_0root_bmodule_bloader: LibHeader =
    // SAFETY: the constructor gives the module of the type it is declared with.
    unsafe { LibHeader::from_constructor::<PluginRoot_Ref>(root, CheckTypeLayout::Yes) };
