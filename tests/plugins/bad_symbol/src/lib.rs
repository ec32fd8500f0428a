//! A plugin that calls a function of no library: the linker lets it pass, the loader does not.

use thaw_plugin_api::prelude::*;

#[cfg(target_os = "linux")]
unsafe extern "C" {
    fn thaw_function_of_no_library();
}

/// A callback that calls it.
#[derive(Config)]
struct Symbol {}

impl Callback for Symbol {
    const ID: &'static str = "symbol";

    #[cfg(target_os = "linux")]
    fn teardown(&mut self, _: &mut Context) -> Result<()> {
        // SAFETY: never reached: a library with this call cannot be loaded.
        unsafe { thaw_function_of_no_library() };
        Ok(())
    }
}

export_plugin!(callbacks: [Symbol]);
