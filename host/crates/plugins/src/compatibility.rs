//! Whether a plugin fits this host, before any of its code runs and before any tensor crosses.

use std::path::Path;

use thaw_plugin_api::abi::abi_stable::abi_stability::abi_checking::check_layout_compatibility;
use thaw_plugin_api::abi::abi_stable::library::{LibHeader, RootModule};
use thaw_plugin_api::abi::{Metadata, torch_versions};

use super::PluginError;

/// Version of plugin-api that this host was built with.
pub const PLUGIN_API: &str = thaw_plugin_api::VERSION;

/// The root of a plugin whose layout fits.
///
/// abi_stable's own check refuses an older plugin in a newer host: it takes the host's view for the
/// interface, and a field that only the host knows for one that the plugin lacks. Appending is what 1.x
/// allows, so where that check fails the plugin's view is the interface.
pub fn root_of<R: RootModule>(path: &Path, header: &'static LibHeader) -> Result<R, PluginError> {
    let found = header.version_strings().version.to_string();
    let refused = |details: String| PluginError::PluginApi {
        path: path.to_path_buf(),
        found: found.clone(),
        expected: PLUGIN_API.to_owned(),
        major: major(PLUGIN_API).unwrap_or_default(),
        details,
    };
    if major(&found) != major(PLUGIN_API) {
        return Err(refused(String::new()));
    }
    let error = match header.init_root_module::<R>() {
        Ok(root) => return Ok(root),
        Err(error) => error,
    };
    let Some(layout) = header.layout() else { return Err(refused(error.to_string())) };
    if let Err(older) = check_layout_compatibility(layout, R::LAYOUT) {
        return Err(refused(format!("{error}\n{older}")));
    }
    // SAFETY: the plugin's layout is a prefix of the host's, as just checked; fields and methods that only
    // the host knows are read through accessors with defaults.
    let root = unsafe { header.unchecked_layout::<R>() };
    root.map_err(|error| refused(format!("{error:?}")))
}

/// Whether what the plugin says of itself fits this host.
pub fn check_metadata(path: &Path, metadata: &Metadata) -> Result<(), PluginError> {
    let refused = |reason: String| PluginError::Metadata { path: path.to_path_buf(), reason };
    if !metadata.panic_unwinds {
        return Err(PluginError::PanicAborts { path: path.to_path_buf() });
    }
    if let Some(error) = &metadata.error {
        return Err(refused(format!("it cannot say what it offers: {error}")));
    }
    let ours = torch_versions();
    if let Some(theirs) = metadata.torch.as_ref().filter(|theirs| **theirs != ours) {
        return Err(PluginError::Libtorch {
            path: path.to_path_buf(),
            found: theirs.to_string(),
            expected: ours.to_string(),
        });
    }
    for (index, item) in metadata.items.iter().enumerate() {
        let is_well_formed = !item.id.is_empty()
            && item
                .id
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-');
        if !is_well_formed {
            return Err(refused(format!("the id `{}` is not made of a-z, 0-9 and -", item.id)));
        }
        if metadata.items[..index].iter().any(|other| other.id == item.id && other.kind == item.kind) {
            return Err(refused(format!("it exports the {} `{}` twice", item.kind, item.id)));
        }
    }
    Ok(())
}

fn major(version: &str) -> Option<u64> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
