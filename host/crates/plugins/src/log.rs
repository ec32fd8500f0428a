//! Events of plugins in this process's log, under the target `plugin` and the plugin's name.

use std::sync::Mutex;

use thaw_plugin_api::abi::abi_stable::prefix_type::WithMetadata;
use thaw_plugin_api::abi::abi_stable::std_types::RStr;
use thaw_plugin_api::abi::{RawLog, RawLog_Ref};
use tracing::level_filters::LevelFilter;
use tracing::{Level, enabled};

use thaw_terminal::escape;

static NAMES: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A number for a plugin, to be given back with each of its events.
pub fn register(name: &str) -> u64 {
    let Ok(mut names) = NAMES.lock() else { return u64::MAX };
    names.push(escape::shorten(name).into_owned());
    names.len() as u64 - 1
}

const TABLE: &WithMetadata<RawLog> = &WithMetadata::new(RawLog { max_level, enabled: is_enabled, event });

/// The functions that plugins are given.
pub fn table() -> RawLog_Ref {
    RawLog_Ref(TABLE.static_as_prefix())
}

extern "C" fn max_level() -> u8 {
    match LevelFilter::current() {
        LevelFilter::OFF => 0,
        LevelFilter::ERROR => 1,
        LevelFilter::WARN => 2,
        LevelFilter::INFO => 3,
        LevelFilter::DEBUG => 4,
        LevelFilter::TRACE => 5,
    }
}

extern "C" fn is_enabled(_: u64, level: u8, _: RStr<'_>) -> bool {
    match level {
        1 => enabled!(target: "plugin", Level::ERROR),
        2 => enabled!(target: "plugin", Level::WARN),
        3 => enabled!(target: "plugin", Level::INFO),
        4 => enabled!(target: "plugin", Level::DEBUG),
        _ => enabled!(target: "plugin", Level::TRACE),
    }
}

extern "C" fn event(plugin: u64, level: u8, target: RStr<'_>, text: RStr<'_>) {
    let name = NAMES
        .lock()
        .ok()
        .and_then(|names| names.get(usize::try_from(plugin).ok()?).cloned())
        .unwrap_or_default();
    // A plugin may show names of anybody's.
    let (text, target) = (escape::excerpt(&text), target.as_str());
    match level {
        1 => tracing::error!(target: "plugin", "{name}: {text}"),
        2 => tracing::warn!(target: "plugin", "{name}: {text}"),
        3 => tracing::info!(target: "plugin", "{name}: {text}"),
        4 => tracing::debug!(target: "plugin", module = target, "{name}: {text}"),
        _ => tracing::trace!(target: "plugin", module = target, "{name}: {text}"),
    }
}
