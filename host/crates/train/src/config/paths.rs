//! Files and folders that a run config names: what a trained model is used with later, from wherever that is.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use thaw_plugin_api::abi::Kind;

use super::RunConfig;
use super::overrides::{escaped, sets};
use thaw_data::DataConfig;

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
    /// The paths of model, data, strategies and callbacks. Those of plugins, data sets included, are the keys
    /// with the format `path` in the schema that `schema` gives for an id of one of these kinds.
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
        if let Some(id) = self.data.as_ref().and_then(DataConfig::dataset_id) {
            // Data stays where it is.
            let table = self.table.get("data").unwrap_or(&Value::Null);
            of_schema(table, schema(&[Kind::Dataset], id), "/data", &mut |key, path| {
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
    Paths { schema, found }.of(value, schema, key);
}

/// The search for paths in a value, by its schema.
struct Paths<'s, F> {
    /// The whole schema, which has the definitions.
    schema: &'s Value,
    found: &'s mut F,
}

impl<F: FnMut(String, PathBuf)> Paths<'_, F> {
    fn of(&mut self, value: &Value, schema: &Value, key: &str) {
        let reference = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        if let Some(definition) = reference.and_then(|path| self.schema.pointer(path)) {
            return self.of(value, definition, key);
        }
        let choices = ["oneOf", "anyOf"].into_iter().filter_map(|of| schema.get(of)?.as_array()).flatten();
        for choice in choices.filter(|choice| is_of(value, choice)) {
            self.of(value, choice, key);
        }
        match value {
            Value::String(path) if schema.get("format").is_some_and(|format| format == "path") => {
                (self.found)(key.to_owned(), PathBuf::from(path));
            }
            Value::Object(table) => {
                for (name, value) in table {
                    let property = schema.get("properties").and_then(|properties| properties.get(name));
                    if let Some(schema) = property.or_else(|| schema.get("additionalProperties")) {
                        self.of(value, schema, &format!("{key}/{}", escaped(name)));
                    }
                }
            }
            Value::Array(elements) => {
                let items = schema.get("items").unwrap_or(&Value::Null);
                for (index, element) in elements.iter().enumerate() {
                    self.of(element, items, &format!("{key}/{index}"));
                }
            }
            _ => {}
        }
    }
}

/// Whether a value may be of a kind of tables: its tag says so.
fn is_of(value: &Value, choice: &Value) -> bool {
    let properties = choice.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().all(|(name, property)| {
        property.get("const").is_none_or(|tag| value.get(name).is_some_and(|found| found == tag))
    })
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
    fn paths_are_found_in_tables_of_several_kinds() {
        let path = json!({ "type": "string", "format": "path" });
        let kind = |id: &str, key: &str| json!({ "properties": { "id": { "const": id }, key: path } });
        let schema = json!({
            "properties": {
                "source": { "oneOf": [kind("file", "place"), kind("text", "other")] },
                "short": { "anyOf": [path, { "properties": { "path": path } }] },
                "nested": { "$ref": "#/$defs/nested" },
            },
            "$defs": { "nested": { "properties": { "log": path, "more": { "$ref": "#/$defs/nested" } } } },
        });
        let value = json!({
            "source": { "id": "text", "place": "no path", "other": "a" },
            "short": "b",
            "nested": { "log": "c", "more": { "log": "d" } },
        });
        let mut found = Vec::new();
        of_schema(&value, &schema, "", &mut |key, path| found.push((key, path)));
        let expected =
            [("/source/other", "a"), ("/short", "b"), ("/nested/log", "c"), ("/nested/more/log", "d")];
        assert_eq!(found, expected.map(|(key, path)| (key.to_owned(), PathBuf::from(path))));
    }

    #[test]
    fn a_path_is_absolute_from_where_it_was_given() {
        let path = json!({ "type": "string", "format": "path" });
        let schema = json!({ "properties": { "log": path, "logs": { "type": "array", "items": path },
            "name": { "type": "string" } } });
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
            json!({ "log": here("a.csv"), "logs": ["/b.csv", "/there/c.csv", here("d.csv")],
                "name": "e.csv" })
        );
    }
}
