//! Files and folders that a run config names: what a trained model is used with later, from wherever that is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thaw_plugin_api::abi::Kind;

use super::RunConfig;
use super::overrides::{escaped, sets};

/// A file or folder that the config names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// Its key, as a JSON pointer into [`RunConfig::table`], such as `/data/tokenizer`.
    pub key: String,
    /// The path, as given.
    pub path: PathBuf,
    /// Whether the model cannot be built, or predictions cannot be read, without it.
    pub is_needed: bool,
}

impl RunConfig {
    /// The paths of model, data, strategies and callbacks. Those of plugins are the keys with the format
    /// `path` in the schema that `schema` gives for an id of one of these kinds.
    pub fn paths<'s>(&self, schema: impl Fn(&[Kind], &str) -> &'s Value) -> Vec<NamedPath> {
        let mut paths = Vec::new();
        of_schema(&self.model.config, schema(&[Kind::Model], &self.model.id), "/model", &mut |key, path| {
            paths.push(NamedPath { key, path, is_needed: true });
        });
        for (index, callback) in self.callbacks.iter().enumerate() {
            // They may as well be written to.
            let schema = schema(&[Kind::Strategy, Kind::Callback], &callback.id);
            of_schema(&callback.config, schema, &format!("/callbacks/{index}"), &mut |key, path| {
                paths.push(NamedPath { key, path, is_needed: false });
            });
        }
        for (key, path) in self.data.iter().flat_map(|data| data.paths()) {
            paths.push(NamedPath {
                key: format!("/data/{key}"),
                path: path.to_path_buf(),
                is_needed: key == "tokenizer",
            });
        }
        paths
    }

    /// The model's own configuration, with the paths that were given.
    pub fn given_model(&self) -> Value {
        let mut given = self.table.get("model").cloned().unwrap_or_else(|| json!({}));
        if let Some(table) = given.as_object_mut() {
            table.retain(|key, _| key != "id" && key != "weights");
        }
        given
    }
}

/// Makes the paths of a plugin's table absolute: relative ones start at the working directory, those under
/// the keys of `overrides` in `folder`, where somebody else gave them.
pub fn make_absolute(table: &mut Value, schema: &Value, overrides: &[String], folder: &Path) {
    let mut paths = Vec::new();
    of_schema(table, schema, "", &mut |key, path| paths.push((key, path)));
    for (key, path) in paths {
        let path = if sets(overrides, &key) { folder.join(path) } else { path };
        let absolute = std::path::absolute(path).ok().and_then(|path| path.to_str().map(Value::from));
        if let (Some(value), Some(absolute)) = (table.pointer_mut(&key), absolute) {
            *value = absolute;
        }
    }
}

fn of_schema(value: &Value, schema: &Value, key: &str, found: &mut impl FnMut(String, PathBuf)) {
    match value {
        Value::String(path) if schema.get("format").is_some_and(|format| format == "path") => {
            found(key.to_owned(), PathBuf::from(path));
        }
        Value::Object(table) => {
            for (name, value) in table {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                if let Some(schema) = property.or_else(|| schema.get("additionalProperties")) {
                    of_schema(value, schema, &format!("{key}/{}", escaped(name)), found);
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                of_schema(
                    element,
                    schema.get("items").unwrap_or(&Value::Null),
                    &format!("{key}/{index}"),
                    found,
                );
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_plugins_are_found_by_their_schema_wherever_they_stand() {
        let path = json!({ "type": "string", "format": "path" });
        let schema = json!({ "properties": {
            "config": path, "name": { "type": "string" },
            "parts": { "type": "array", "items": { "properties": { "file": path } } },
            "tables": { "additionalProperties": path },
        } });
        let table = json!({
            "model": {
                "id": "m", "weights": "w.safetensors", "config": "c.json", "name": "n.json",
                "parts": [{}, { "file": "p.bin" }], "tables": { "a/b": "t.csv" },
            },
            "data": { "kind": "text", "path": "d.csv", "tokenizer": "t.json" },
            "callbacks": [{ "id": "m" }, { "id": "c", "log": "log.csv" }],
        });
        let config = RunConfig::from_table("run.toml".as_ref(), table.clone(), &[]).unwrap();
        let of_callback = json!({ "properties": { "log": path } });
        let paths = config.paths(|kinds, _| if kinds == [Kind::Model] { &schema } else { &of_callback });
        let mut found: Vec<(&str, bool)> =
            paths.iter().map(|named| (named.key.as_str(), named.is_needed)).collect();
        found.sort_unstable();
        let data = [("/callbacks/1/log", false), ("/data/path", false), ("/data/tokenizer", true)];
        let model = [("/model/config", true), ("/model/parts/1/file", true), ("/model/tables/a~1b", true)];
        assert_eq!(found, [&data[..], &model].concat());
        for named in paths {
            assert_eq!(table.pointer(&named.key).unwrap(), &json!(named.path), "{}", named.key);
        }
    }

    #[test]
    fn a_path_is_absolute_from_where_it_was_given() {
        let path = json!({ "type": "string", "format": "path" });
        let schema = json!({ "properties": { "log": path, "logs": { "type": "array", "items": path }, "name": { "type": "string" } } });
        let mut table = json!({ "log": "a.csv", "logs": ["/b.csv", "c.csv", "d.csv"], "name": "e.csv" });
        make_absolute(
            &mut table,
            &schema,
            &["logs.1=c.csv".to_owned(), "name=e.csv".to_owned()],
            Path::new("/there"),
        );
        let here = |name: &str| json!(std::env::current_dir().unwrap().join(name));
        assert_eq!(
            table,
            json!({ "log": here("a.csv"), "logs": ["/b.csv", "/there/c.csv", here("d.csv")], "name": "e.csv" })
        );
    }
}
