//! `host schema`.

use std::path::{Path, PathBuf};

use clap::Args;
use thaw_plugin_api::abi::Item;

use super::Options;
use super::plugin::{Found, plugins_in, pretty};
use super::print;
use crate::Error;
use thaw_plugins::{LoadedPlugin, SearchPath};
use thaw_train::config::RunConfig;

/// Arguments of `host schema`.
#[derive(Args)]
pub struct SchemaArgs {
    /// A run config whose plugins' tables are to be in the schema, besides those of `--plugin` and of the
    /// search path.
    config: Option<PathBuf>,
    /// Leaves the tables of plugins open: any id and any keys.
    #[arg(long, conflicts_with = "config")]
    no_plugins: bool,
}

/// Runs `host schema`: prints the JSON Schema of a run config.
///
/// # Errors
/// A run config that cannot be read, a plugin of it or of `--plugin` that is not found or refused.
pub fn run(options: &Options, args: &SchemaArgs) -> Result<(), Error> {
    let items = if args.no_plugins { Vec::new() } else { items(options, args.config.as_deref())? };
    print(pretty(&RunConfig::schema(&items)))
}

/// What plugins offer: those that were named first, then those of the search path.
fn items(options: &Options, config: Option<&Path>) -> Result<Vec<Item>, Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    let config = config.map(|path| RunConfig::read(path, &[])).transpose()?;
    let of_config = config.iter().flat_map(|config| &config.plugins).map(|entry| &entry.path);
    let mut items = Vec::new();
    for name in options.plugins.iter().chain(of_config) {
        let plugin = LoadedPlugin::open(&search.find(name, Path::new(""))?)?;
        items.extend_from_slice(&plugin.metadata().items);
    }
    for folder in search.folders() {
        // A folder that is not there has no plugins.
        for found in plugins_in(folder).into_iter().flatten() {
            let Found { path, plugin } = found;
            match plugin {
                Ok(plugin) => items.extend_from_slice(&plugin.metadata().items),
                Err(error) => tracing::warn!("{}: left out: {error}", thaw_terminal::escape::path(&path)),
            }
        }
    }
    Ok(items)
}
