use std::path::Path;

use thaw_plugin_api::abi::abi_stable::library::{
    __call_root_module_loader, CheckTypeLayout, LibHeader, RootModuleResult,
};
use thaw_plugin_api::abi::abi_stable::prefix_type::PrefixTypeTrait;

use super::root_of;

/// A root of this name with these functions, the first of which is its prefix.
macro_rules! root {
    ($module:ident, $first:ident: $type:ty $(, $later:ident)*) => {
        // What the derive writes, and what no test reads.
        #[allow(dead_code, non_camel_case_types, non_local_definitions, unused_braces)]
        mod $module {
            use abi_stable::{StableAbi, declare_root_module_statics, library::RootModule,
                package_version_strings, sabi_types::VersionStrings};

            #[repr(C)]
            #[derive(StableAbi)]
            #[sabi(kind(Prefix(prefix_ref = Root_Ref)))]
            pub struct Root {
                #[sabi(last_prefix_field)]
                pub $first: $type,
                $(pub $later: extern "C" fn() -> u32,)*
            }

            impl RootModule for Root_Ref {
                declare_root_module_statics! {Root_Ref}
                const BASE_NAME: &'static str = "root";
                const NAME: &'static str = "root";
                const VERSION_STRINGS: VersionStrings = package_version_strings!();
            }
        }
    };
}

root!(older, answer: extern "C" fn() -> u32);
root!(today, answer: extern "C" fn() -> u32, appended);
root!(changed, answer: extern "C" fn(u32) -> u32, appended);

extern "C" fn answer() -> u32 {
    42
}

extern "C" fn older_root() -> RootModuleResult {
    __call_root_module_loader(|| older::Root { answer }.leak_into_prefix())
}

// SAFETY: the constructor gives the module of the type it is declared with.
static OLDER: LibHeader =
    unsafe { LibHeader::from_constructor::<older::Root_Ref>(older_root, CheckTypeLayout::Yes) };

#[test]
fn a_plugin_lacks_what_was_appended_after_it() {
    let own_check = OLDER.init_root_module::<today::Root_Ref>().err();
    assert!(own_check.is_some(), "abi_stable accepts it by itself: the second check has nothing to do");
    let root: today::Root_Ref = root_of(Path::new("older.so"), &OLDER).unwrap();
    assert_eq!(root.answer()(), 42);
    assert!(root.appended().is_none());
}

#[test]
fn a_prefix_that_changed_is_refused() {
    let error = root_of::<changed::Root_Ref>(Path::new("older.so"), &OLDER).err().unwrap().to_string();
    assert!(error.contains("older.so") && error.contains("rebuild the plugin"), "{error}");
}
