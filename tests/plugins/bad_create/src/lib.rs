//! A plugin with a root of its own, which makes its one callback whatever id and kind it is asked for.

use serde_json::json;
use thaw_plugin_api::__private::create_callback;
use thaw_plugin_api::abi::abi_stable::library::{
    __call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
};
use thaw_plugin_api::abi::abi_stable::prefix_type::PrefixTypeTrait;
use thaw_plugin_api::abi::abi_stable::std_types::{RResult, RStr, RString};
use thaw_plugin_api::abi::{
    BoxedDataset, BoxedInstance, BoxedModel, PluginRoot, PluginRoot_Ref, RawLog_Ref, RawResult,
};
use thaw_plugin_api::prelude::*;

/// Does nothing.
#[derive(Config)]
struct Idle {}

impl Callback for Idle {
    const ID: &'static str = "idle";
}

extern "C" fn metadata() -> RString {
    let metadata = json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "description": env!("CARGO_PKG_DESCRIPTION"),
        "plugin_api": thaw_plugin_api::VERSION,
        "rustc": "rustc",
        "panic_unwinds": true,
        "items": [{ "kind": "callback", "id": Idle::ID, "description": "Does nothing.",
            "schema": Idle::schema() }],
    });
    metadata.to_string().into()
}

extern "C" fn initialise(_: RawLog_Ref, _: u64) {}

extern "C" fn create(_: RStr<'_>, _: RStr<'_>, config: RStr<'_>) -> RawResult<BoxedInstance> {
    create_callback::<Idle>(config)
}

extern "C" fn create_model(id: RStr<'_>, _: RStr<'_>) -> RawResult<BoxedModel> {
    RResult::RErr(Error::new(format_args!("this plugin has no model `{id}`")).into())
}

extern "C" fn create_dataset(id: RStr<'_>, _: RStr<'_>) -> RawResult<BoxedDataset> {
    RResult::RErr(Error::new(format_args!("this plugin has no model `{id}`")).into())
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
