//! `--set KEY=VALUE`.

use serde_json::{Map, Value};

use super::ConfigError;
use super::toml_value::to_json;

/// Sets one key of a config. Keys are dotted, elements of lists by number: `callbacks.0.lambda_func=1.5`.
/// Values are TOML; what is no TOML is text.
pub fn apply(table: &mut Value, text: &str) -> Result<(), ConfigError> {
    let wrong = |reason: String| ConfigError::Override { text: text.to_owned(), reason };
    let (key, value) = text.split_once('=').ok_or_else(|| wrong("expected KEY=VALUE".to_owned()))?;
    let value = parse(value.trim());
    let mut target = table;
    for part in key.trim().split('.') {
        target = match target {
            Value::Array(elements) => {
                let count = elements.len();
                let index: usize = part.parse().map_err(|_| {
                    wrong(format!("`{part}` is in a list; expected a number from 0 to {}", count.max(1) - 1))
                })?;
                elements.get_mut(index).ok_or_else(|| {
                    wrong(format!("the list has {count} elements, there is no element {index}"))
                })?
            }
            other => {
                if other.is_null() {
                    *other = Value::Object(Map::new());
                }
                let found = other.to_string();
                let object = other
                    .as_object_mut()
                    .ok_or_else(|| wrong(format!("`{part}` would be a key of {found}, which is no table")))?;
                object.entry(part).or_insert(Value::Null)
            }
        };
    }
    *target = value;
    Ok(())
}

/// The key that an override sets, as a JSON pointer.
pub fn pointer(text: &str) -> String {
    let key = text.split_once('=').map_or(text, |(key, _)| key);
    key.trim().split('.').map(|part| format!("/{}", escaped(part))).collect()
}

/// Whether one of the overrides sets this key (a JSON pointer), or a table or list that it is in.
pub fn sets(overrides: &[String], key: &str) -> bool {
    overrides.iter().any(|text| {
        let given = pointer(text);
        key.strip_prefix(given.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// A key as JSON pointers have it.
pub fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn parse(text: &str) -> Value {
    let parsed: Option<toml::Table> = format!("value = {text}").parse().ok();
    let value = parsed.and_then(|mut table| table.remove("value"));
    value.map_or_else(|| Value::from(text), to_json)
}
