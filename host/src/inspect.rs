//! What a plugin file offers, as text for people and as JSON for programs.

mod table;

use std::fmt::Write as _;

use serde_json::{Value, json};
use thaw_plugin_api::abi::Item;
use thaw_plugins::{Parameter, parameters};

use thaw_plugins::LoadedPlugin;
use thaw_terminal::escape::{excerpt, shorten};

/// Widest line that is written, where the terminal does not say.
pub const WIDTH: usize = 110;

/// Everything about a plugin: versions, then each id with its parameters.
pub fn text(plugin: &LoadedPlugin, width: usize) -> String {
    let metadata = plugin.metadata();
    let mut text = format!("{} {}", shorten(&metadata.name), shorten(&metadata.version));
    if !metadata.description.is_empty() {
        let _ = write!(text, " – {}", excerpt(&metadata.description));
    }
    text.push('\n');
    let libtorch = metadata.torch.as_ref().map_or_else(
        || if plugin.links_libtorch() { "used; no model" } else { "not used" }.to_owned(),
        |torch| {
            format!(
                "{} (tch {}, {} C++ ABI)",
                shorten(&torch.libtorch),
                shorten(&torch.tch),
                if torch.cxx11_abi { "C++11" } else { "old" }
            )
        },
    );
    let rows = [
        ("file", plugin.path().display().to_string()),
        ("sha256", plugin.sha256().to_owned()),
        ("authors", excerpt(&metadata.authors).replace('\n', ", ")),
        ("plugin-api", shorten(&metadata.plugin_api).into_owned()),
        ("rustc", shorten(metadata.rustc.trim_start_matches("rustc ")).into_owned()),
        ("target", shorten(&metadata.target).into_owned()),
        ("libtorch", libtorch),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(text, "  {name:<10}  {value}");
    }
    for item in &metadata.items {
        text.push('\n');
        text.push_str(&item_text(item, width));
    }
    text
}

fn item_text(item: &Item, width: usize) -> String {
    let mut text = format!("{} {}\n", item.kind, shorten(&item.id));
    for line in table::wrap(&excerpt(&item.description), width.saturating_sub(2)) {
        let _ = writeln!(text, "  {line}");
    }
    let rows = parameters(&item.schema);
    if rows.is_empty() {
        text.push_str("  takes no parameters\n");
    } else {
        text.push_str(&table::text(&rows, width));
    }
    text
}

/// The same for programs.
pub fn json(plugin: &LoadedPlugin) -> Value {
    let metadata = plugin.metadata();
    let items = metadata.items.iter().map(|item| {
        json!({
            "kind": item.kind, "id": item.id, "description": item.description,
            "parameters": parameters(&item.schema).iter().map(Parameter::to_json).collect::<Vec<_>>(),
            "schema": item.schema,
        })
    });
    json!({
        "file": plugin.path().to_string_lossy(), "sha256": plugin.sha256(), "name": metadata.name,
        "version": metadata.version,
        "description": metadata.description, "authors": metadata.authors, "plugin_api": metadata.plugin_api,
        "rustc": metadata.rustc, "target": metadata.target, "libtorch": metadata.torch,
        "links_libtorch": plugin.links_libtorch(),
        "items": items.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests;
