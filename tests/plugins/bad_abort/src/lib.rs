//! A plugin as one built with `panic = "abort"` would describe itself.
//! Nothing else of it may run: every function but the metadata's panics.

use serde_json::json;
use thaw_plugin_api::abi::abi_stable::library::{
    __call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
};
use thaw_plugin_api::abi::abi_stable::prefix_type::PrefixTypeTrait;
use thaw_plugin_api::abi::abi_stable::std_types::{RStr, RString};
use thaw_plugin_api::abi::{
    BoxedDataset, BoxedInstance, BoxedModel, PluginRoot, PluginRoot_Ref, RawLog_Ref, RawResult,
};

extern "C" fn metadata() -> RString {
    let metadata = json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "plugin_api": thaw_plugin_api::VERSION,
        "rustc": "rustc",
        "panic_unwinds": false,
        "items": [{ "kind": "callback", "id": "bad-abort", "schema": { "type": "object" } }],
    });
    metadata.to_string().into()
}

extern "C" fn initialise(_: RawLog_Ref, _: u64) {
    unreachable!("a refused plugin was initialised")
}

extern "C" fn create(_: RStr<'_>, _: RStr<'_>, _: RStr<'_>) -> RawResult<BoxedInstance> {
    unreachable!("a refused plugin made an instance")
}

extern "C" fn create_model(_: RStr<'_>, _: RStr<'_>) -> RawResult<BoxedModel> {
    unreachable!("a refused plugin made a model")
}

extern "C" fn create_dataset(_: RStr<'_>, _: RStr<'_>) -> RawResult<BoxedDataset> {
    unreachable!("a refused plugin made a data set")
}

extern "C" fn root() -> RootModuleResult {
    __call_root_module_loader(|| {
        PluginRoot { metadata, initialise, create, create_model, create_dataset }.leak_into_prefix()
    })
}

#[unsafe(no_mangle)]
static _1as_0lib_1header_0root_bmodule_bloader: LibHeader =
    // SAFETY: the constructor gives the module of the type it is declared with.
    unsafe { LibHeader::from_constructor::<PluginRoot_Ref>(root, CheckTypeLayout::Yes) };
