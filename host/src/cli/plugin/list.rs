//! `host plugin list`.

use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::inspect::pretty;
use super::{Options, print};
use crate::Error;
use crate::plugins::{LoadedPlugin, PluginError, SearchPath};

/// Arguments of `host plugin list`.
#[derive(Args)]
pub struct ListArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A plugin of the search path, or why it is refused.
struct Found {
    path: PathBuf,
    plugin: Result<LoadedPlugin, PluginError>,
}

/// Runs `host plugin list`: every folder of the search path, every plugin in it. Libraries that are no plugins are
/// passed over.
///
/// # Errors
/// None: what is refused is listed with the reason.
pub fn run(options: &Options, args: &ListArgs) -> Result<(), Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    let folders: Vec<(&PathBuf, Vec<Found>)> = search.folders().iter().map(|folder| (folder, plugins_in(folder))).collect();
    if args.json {
        let found = folders.iter().flat_map(|(_, found)| found);
        print(&pretty(&found.map(to_json).collect()));
        return Ok(());
    }
    let mut text = String::new();
    for (folder, found) in folders {
        let _ = writeln!(text, "{}", folder.display());
        if found.is_empty() {
            let reason = if folder.is_dir() { "no plugins" } else { "no such folder" };
            let _ = writeln!(text, "  {reason}");
        }
        text.push_str(&rows(&found));
    }
    print(text.trim_end());
    Ok(())
}

fn rows(found: &[Found]) -> String {
    let mut text = String::new();
    let name = |found: &Found| found.plugin.as_ref().map_or_else(|_| file_name(&found.path), |plugin| plugin.metadata().name.clone());
    let width = found.iter().map(|found| name(found).len()).max().unwrap_or_default();
    for found in found {
        match &found.plugin {
            Ok(plugin) => {
                let metadata = plugin.metadata();
                let ids: Vec<String> = metadata.items.iter().map(|item| format!("{} {}", item.kind, item.id)).collect();
                let _ = writeln!(text, "  {:<width$}  {:<7}  {}", metadata.name, metadata.version, ids.join(", "));
            }
            Err(error) => {
                let _ = writeln!(text, "  {:<width$}  refused  {error}", name(found));
            }
        }
    }
    text
}

fn to_json(found: &Found) -> Value {
    match &found.plugin {
        Ok(plugin) => {
            let items = plugin.metadata().items.iter().map(|item| json!({ "kind": item.kind, "id": item.id }));
            let (name, version) = (&plugin.metadata().name, &plugin.metadata().version);
            json!({ "file": found.path.to_string_lossy(), "name": name, "version": version, "items": items.collect::<Vec<_>>() })
        }
        Err(error) => json!({ "file": found.path.to_string_lossy(), "refused": error.to_string() }),
    }
}

/// Libraries of a folder that are plugins, by file name.
fn plugins_in(folder: &Path) -> Vec<Found> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let libraries: BTreeSet<PathBuf> = entries.filter(|path| is_library(path)).collect();
    let opened = libraries.into_iter().map(|path| Found { plugin: LoadedPlugin::open(&path), path });
    opened.filter(|found| !matches!(found.plugin, Err(PluginError::NoPlugin { .. } | PluginError::NoLibrary { .. }))).collect()
}

fn is_library(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with(DLL_PREFIX) && name.ends_with(DLL_SUFFIX) && path.is_file()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
