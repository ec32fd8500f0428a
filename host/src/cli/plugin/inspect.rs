//! `host plugin inspect`.

use std::path::Path;

use clap::Args;
use serde_json::Value;

use super::Options;
use crate::Error;
use crate::cli::print;
use crate::inspect::{WIDTH, json, text};
use thaw_plugins::{LoadedPlugin, SearchPath};

/// Arguments of `host plugin inspect`.
#[derive(Args)]
pub struct InspectArgs {
    /// The plugin: a file, or a name that is looked for.
    #[arg(value_name = "FILE|NAME", required = true)]
    files: Vec<String>,
    /// Prints JSON: a list with an object for each plugin.
    #[arg(long)]
    json: bool,
}

/// Runs `host plugin inspect`.
///
/// # Errors
/// A plugin that is not found or refused.
pub fn run(options: &Options, args: &InspectArgs) -> Result<(), Error> {
    if !args.json {
        return show(options, &args.files);
    }
    let plugins = open(options, &args.files)?;
    print(pretty(&plugins.iter().map(json).collect()))
}

/// Shows each of the plugins.
///
/// # Errors
/// A plugin that is not found or refused.
pub fn show(options: &Options, files: &[String]) -> Result<(), Error> {
    let texts: Vec<String> = open(options, files)?.iter().map(|plugin| text(plugin, width())).collect();
    print(texts.join("\n").trim_end())
}

fn open(options: &Options, files: &[String]) -> Result<Vec<LoadedPlugin>, Error> {
    let search = SearchPath::of_process(&options.plugin_dirs);
    files.iter().map(|name| Ok(LoadedPlugin::open(&search.find(name, Path::new(""))?)?)).collect()
}

/// JSON over several lines.
pub fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// `$COLUMNS` within reason.
fn width() -> usize {
    let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    columns.map_or(WIDTH, |columns: usize| columns.clamp(60, 160))
}
