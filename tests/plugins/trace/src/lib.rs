//! The plugin of `hooks`. Tests that drive them in their own process take that file as a module: a plugin's
//! library is no dependency of anything.

mod hooks;

use hooks::{TraceCallback, TraceStrategy};
use thaw_plugin_api::prelude::*;

export_plugin!(strategies: [TraceStrategy], callbacks: [TraceCallback]);
