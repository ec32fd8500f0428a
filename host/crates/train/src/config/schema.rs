//! JSON Schema of a run config, for editors.

use serde_json::{Value, json};
use thaw_plugin_api::abi::{Item, Kind};
use thaw_plugin_api::config::{Definitions, TableSchema, TaggedSchema, document};

use super::RunConfig;
use super::table::RunTable;
use thaw_data::PluginConfig;
use thaw_plugins::pattern;

/// The draft that the schema is written in.
const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

impl RunConfig {
    /// The schema of a run config: every key with its help, type, default and range.
    ///
    /// `items` are what plugins offer. Where there is a model among them, `[model]` is to be one of these;
    /// where there is a strategy or callback, so is each of `[[callbacks]]`; and where there is a data set,
    /// so is `[data]` of `kind = "plugin"`. Else any id and any keys go: which a plugin has, only it says. Of
    /// several with one id the first counts.
    pub fn schema(items: &[Item]) -> Value {
        let mut schema = document::<RunTable>();
        let mut definitions = schema[Definitions::KEY].take();
        close(&mut schema["properties"]["model"], items, &[Kind::Model], &mut definitions);
        take_directory(&mut schema["properties"]["model"]);
        let callbacks = [Kind::Strategy, Kind::Callback];
        close(&mut schema["properties"]["callbacks"]["items"], items, &callbacks, &mut definitions);
        if let Some(data) = plugins_data(&mut schema["properties"]["data"]) {
            close(data, items, &[Kind::Dataset], &mut definitions);
        }
        schema[Definitions::KEY] = definitions;
        let mut all = json!({ "$schema": DRAFT, "title": "Thaw run config" });
        if let (Some(all), Value::Object(schema)) = (all.as_object_mut(), schema) {
            all.extend(schema);
        }
        all
    }
}

/// Lets `[model]` name a directory of Hugging Face in the place of an id; which keys it then takes, its files
/// say.
fn take_directory(model: &mut Value) {
    let path = json!({
        "type": "string", "format": "path",
        "description": "A directory that transformers' save_pretrained wrote, or hf://organisation/name: it \
                        gives id, sizes, weights, tokenizer and preparation of pictures.",
    });
    if let Some(choices) = model.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.push(json!({
            "type": "object", "title": "path", "description": "A directory of Hugging Face.",
            "required": ["path"], "not": { "required": ["id"] }, "properties": { "path": path },
        }));
    } else {
        model["properties"]["path"] = path;
    }
    if let Some(table) = model.as_object_mut() {
        table.remove("required");
        table.insert("anyOf".to_owned(), json!([{ "required": ["id"] }, { "required": ["path"] }]));
    }
}

/// What `[data]` is where a plugin gives the samples.
fn plugins_data(data: &mut Value) -> Option<&mut Value> {
    data["oneOf"].as_array_mut()?.iter_mut().find(|choice| choice["properties"]["kind"]["const"] == "plugin")
}

/// Makes a table that takes any keys beside its own one of what plugins offer.
fn close(table: &mut Value, items: &[Item], kinds: &[Kind], definitions: &mut Value) {
    let mut choices = TaggedSchema::new("id");
    let mut known: Vec<&str> = Vec::new();
    for item in items.iter().filter(|item| kinds.contains(&item.kind)) {
        if known.contains(&item.id.as_str()) {
            continue;
        }
        known.push(&item.id);
        let own = own_schema(item, definitions);
        choices.choice(&item.id, &item.description, table_of(item, own, table));
    }
    if known.is_empty() {
        return;
    }
    let help = table["description"].as_str().unwrap_or_default().to_owned();
    let (kind, title) = (table["properties"]["kind"].take(), table["title"].take());
    *table = choices.finish(&help);
    if kinds.contains(&Kind::Model) {
        let id = &mut table["properties"]["id"];
        *id = json!({ "type": "string", "anyOf": [id.take(), {}] });
    }
    if kinds.contains(&Kind::Dataset) {
        table["properties"]["kind"] = kind;
        table["required"] = json!(["kind", "id"]);
        table["title"] = title;
    }
}

/// What a table with this item may have, beside its `own` keys those that `open` had of the host.
fn table_of(item: &Item, own: Value, open: &Value) -> TableSchema {
    let mut schema = match item.kind {
        Kind::Model => TableSchema::with_tag("id", spellings(item)),
        Kind::Strategy | Kind::Callback => TableSchema::tagged("id", &item.id),
        Kind::Dataset => return PluginConfig::schema_of(&item.id, own),
    };
    if let Some(weights) = open["properties"].get("weights") {
        schema.property("weights", &[], weights.clone(), "", Some(Value::Null));
    }
    if own.get("properties").is_none() {
        schema.open();
    }
    schema.flatten(own);
    schema
}

/// The names that a model may be called by: an editor offers the id and takes what the program takes.
fn spellings(item: &Item) -> Value {
    let others = item.other_names.iter().chain([&item.id]);
    let patterns = others.map(|name| json!({ "pattern": pattern(name) }));
    let names: Vec<Value> = [json!({ "const": item.id })].into_iter().chain(patterns).collect();
    json!({ "anyOf": names })
}

/// The schema of an item's keys. Its definitions go to those of the document, under names of their own.
fn own_schema(item: &Item, definitions: &mut Value) -> Value {
    let mut schema = item.schema.clone();
    let Some(Value::Object(own)) = schema.as_object_mut().and_then(|table| table.remove(Definitions::KEY))
    else {
        return schema;
    };
    let prefix = format!("#/{}/", Definitions::KEY);
    let renamed = format!("{prefix}{}.", item.id);
    for (name, mut definition) in own {
        redirect(&mut definition, &prefix, &renamed);
        definitions[format!("{}.{name}", item.id)] = definition;
    }
    redirect(&mut schema, &prefix, &renamed);
    schema
}

fn redirect(schema: &mut Value, from: &str, to: &str) {
    match schema {
        Value::Object(table) => {
            for (key, value) in table {
                match value.as_str().and_then(|target| target.strip_prefix(from)) {
                    Some(name) if key == "$ref" => *value = format!("{to}{name}").into(),
                    _ => redirect(value, from, to),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| redirect(element, from, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
