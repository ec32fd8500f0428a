//! Files and folders that a run config names: what a trained model is used with later, from wherever that is.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::RunConfig;
use crate::plugins::is_path;

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
    /// Plugins by path, the model's own files, and those of the data. A model's files are the keys that its schema gives the
    /// format `path`.
    pub fn paths(&self, model_schema: &Value) -> Vec<NamedPath> {
        let mut paths = Vec::new();
        for (index, entry) in self.plugins.iter().enumerate().filter(|(_, entry)| is_path(&entry.path)) {
            let key = format!("/plugins/{index}");
            let is_table = self.table.pointer(&key).is_some_and(Value::is_object);
            let key = if is_table { key + "/path" } else { key };
            paths.push(NamedPath { key, path: PathBuf::from(&entry.path), is_needed: false });
        }
        model_paths(&self.model.config, model_schema, "/model", &mut paths);
        for (key, path) in self.data.iter().flat_map(|data| data.paths()) {
            paths.push(NamedPath { key: format!("/data/{key}"), path: path.to_path_buf(), is_needed: key == "tokenizer" });
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

fn model_paths(value: &Value, schema: &Value, key: &str, paths: &mut Vec<NamedPath>) {
    match value {
        Value::String(path) if schema.get("format").is_some_and(|format| format == "path") => {
            paths.push(NamedPath { key: key.to_owned(), path: PathBuf::from(path), is_needed: true });
        }
        Value::Object(table) => {
            for (name, value) in table {
                let property = schema.get("properties").and_then(|properties| properties.get(name));
                if let Some(schema) = property.or_else(|| schema.get("additionalProperties")) {
                    // As JSON pointers are written.
                    let name = name.replace('~', "~0").replace('/', "~1");
                    model_paths(value, schema, &format!("{key}/{name}"), paths);
                }
            }
        }
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                model_paths(element, schema.get("items").unwrap_or(&Value::Null), &format!("{key}/{index}"), paths);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_paths_are_found_by_its_schema_wherever_they_stand() {
        let path = json!({ "type": "string", "format": "path" });
        let schema = json!({ "properties": {
            "config": path, "name": { "type": "string" },
            "parts": { "type": "array", "items": { "properties": { "file": path } } },
            "tables": { "additionalProperties": path },
        } });
        let table = json!({
            "plugins": ["text", "./libown.so", { "path": "a/libother.so" }],
            "model": {
                "id": "m", "weights": "w.safetensors", "config": "c.json", "name": "n.json",
                "parts": [{}, { "file": "p.bin" }], "tables": { "a/b": "t.csv" },
            },
            "data": { "kind": "text", "path": "d.csv", "tokenizer": "t.json" },
        });
        let config = RunConfig::from_table("run.toml".as_ref(), table.clone(), &[]).unwrap();
        let paths = config.paths(&schema);
        let mut found: Vec<(&str, bool)> = paths.iter().map(|named| (named.key.as_str(), named.is_needed)).collect();
        found.sort_unstable();
        let data = [("/data/path", false), ("/data/tokenizer", true)];
        let model = [("/model/config", true), ("/model/parts/1/file", true), ("/model/tables/a~1b", true)];
        assert_eq!(found, [&data[..], &model, &[("/plugins/1", false), ("/plugins/2/path", false)]].concat());
        for named in paths {
            assert_eq!(table.pointer(&named.key).unwrap(), &json!(named.path), "{}", named.key);
        }
    }
}
