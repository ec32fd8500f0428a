//! `host plugin list`.

use std::collections::BTreeSet;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fmt::Write as _;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::Options;
use super::inspect::pretty;
use crate::Error;
use crate::cli::print;
use thaw_plugins::{LoadedPlugin, PluginError, SearchPath};
use thaw_terminal::aligned;

/// Arguments of `host plugin list`.
#[derive(Args)]
pub struct ListArgs {
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// A plugin of the search path, or why it is refused.
pub struct Found {
    pub path: PathBuf,
    pub plugin: Result<LoadedPlugin, PluginError>,
}

/// Runs `host plugin list`: every folder of the search path, every plugin in it. Libraries that are no
/// plugins are passed over.
///
/// # Errors
/// None: what is refused is listed with the reason.
pub fn run(options: &Options, args: &ListArgs) -> Result<(), Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    let folders: Vec<(&PathBuf, io::Result<Vec<Found>>)> =
        search.folders().iter().map(|folder| (folder, plugins_in(folder))).collect();
    if args.json {
        let found = folders.iter().flat_map(|(_, found)| found.iter().flatten());
        return print(pretty(&found.map(to_json).collect()));
    }
    let mut text = String::new();
    for (folder, found) in folders {
        let _ = writeln!(text, "{}", folder.display());
        match found {
            Ok(found) if found.is_empty() => text.push_str("  no plugins\n"),
            Ok(found) => text.push_str(&rows(&found)),
            Err(error) if error.kind() == ErrorKind::NotFound => text.push_str("  no such folder\n"),
            Err(error) => {
                let _ = writeln!(text, "  cannot be read: {error}");
            }
        }
    }
    print(text.trim_end())
}

fn rows(found: &[Found]) -> String {
    let mut text = String::new();
    let name = |found: &Found| {
        let name = found
            .plugin
            .as_ref()
            .map_or_else(|_| file_name(&found.path), |plugin| plugin.metadata().name.clone());
        aligned::name(&name).into_owned()
    };
    let width = aligned::widest(found.iter().map(name));
    for found in found {
        match &found.plugin {
            Ok(plugin) => {
                let metadata = plugin.metadata();
                let ids: Vec<String> = metadata
                    .items
                    .iter()
                    .map(|item| format!("{} {}", item.kind, aligned::name(&item.id)))
                    .collect();
                let _ = writeln!(
                    text,
                    "  {}  {:<7}  {}",
                    aligned::left(&name(found), width),
                    aligned::name(&metadata.version),
                    ids.join(", ")
                );
            }
            Err(error) => {
                let _ = writeln!(text, "  {}  refused  {error}", aligned::left(&name(found), width));
            }
        }
    }
    text
}

fn to_json(found: &Found) -> Value {
    match &found.plugin {
        Ok(plugin) => {
            let items =
                plugin.metadata().items.iter().map(|item| json!({ "kind": item.kind, "id": item.id }));
            let (name, version) = (&plugin.metadata().name, &plugin.metadata().version);
            json!({ "file": found.path.to_string_lossy(), "name": name, "version": version,
                "items": items.collect::<Vec<_>>() })
        }
        Err(error) => json!({ "file": found.path.to_string_lossy(), "refused": error.to_string() }),
    }
}

/// Libraries of a folder that are plugins, by file name.
pub fn plugins_in(folder: &Path) -> io::Result<Vec<Found>> {
    let entries =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<PathBuf>>>()?;
    let libraries: BTreeSet<PathBuf> = entries.into_iter().filter(|path| is_library(path)).collect();
    let opened = libraries.into_iter().map(|path| Found { plugin: LoadedPlugin::open(&path), path });
    Ok(opened
        .filter(|found| {
            !matches!(found.plugin, Err(PluginError::NoPlugin { .. } | PluginError::NoLibrary { .. }))
        })
        .collect())
}

fn is_library(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with(DLL_PREFIX) && name.ends_with(DLL_SUFFIX) && path.is_file()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
