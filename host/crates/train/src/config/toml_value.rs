//! TOML to JSON, in which configs are read.

use serde_json::Value;

/// The same value. JSON has no number for infinity, and null would mean that a key is left out: the text of
/// such a number is refused where a number is expected, by its key.
pub fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Value::from(number.to_string()),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Boolean(flag) => Value::from(flag),
        toml::Value::String(text) => Value::from(text),
        toml::Value::Datetime(time) => Value::from(time.to_string()),
        toml::Value::Array(elements) => elements.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, to_json(value))).collect(),
    }
}
