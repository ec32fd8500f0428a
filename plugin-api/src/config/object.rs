//! Reading a table key by key, so that unknown and missing keys are noticed.

use serde_json::{Map, Value};

use super::{Config, ConfigError, Key};

/// A table being read: hands out its keys and at the end refuses those nobody asked for.
pub struct ObjectReader<'v> {
    table: &'v Map<String, Value>,
    key: Key,
    known: Vec<String>,
}

impl<'v> ObjectReader<'v> {
    /// Starts reading the table at `key`.
    ///
    /// # Errors
    /// The value is no table.
    pub fn new(value: &'v Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Object(table) => Ok(Self { table, key: key.clone(), known: Vec::new() }),
            other => Err(mismatch(key, other, "a table")),
        }
    }

    /// Reads one key; `default` stands in where it is missing.
    ///
    /// # Errors
    /// The key is missing and has no default, or its value does not fit.
    pub fn field<T: Config>(&mut self, name: &str, default: Option<T>) -> Result<T, ConfigError> {
        self.known.push(name.to_owned());
        let key = self.key.child(name);
        match self.table.get(name) {
            Some(value) => T::from_value(value, &key),
            None => default
                .or_else(T::default_value)
                .ok_or_else(|| ConfigError::MissingKey { key, expected: expectation(&T::schema()) }),
        }
    }

    /// Reads a nested configuration whose keys stand at this level.
    ///
    /// # Errors
    /// As [`Config::from_value`].
    pub fn flatten<T: Config>(&mut self, keys: &[String]) -> Result<T, ConfigError> {
        self.known.extend_from_slice(keys);
        let own = self.table.iter().filter(|(name, _)| keys.contains(name));
        let table = own.map(|(name, value)| (name.clone(), value.clone())).collect();
        T::from_value(&Value::Object(table), &self.key)
    }

    /// Path of a key of this table.
    pub fn key(&self, name: &str) -> Key {
        self.key.child(name)
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A key of the table that was not read, with the nearest one that was.
    pub fn finish(self) -> Result<(), ConfigError> {
        let Some(unknown) = self.table.keys().find(|name| !self.known.contains(name)) else {
            return Ok(());
        };
        Err(ConfigError::UnknownKey {
            key: self.key.child(unknown),
            nearest: crate::nearest::nearest(unknown, self.known.iter().map(String::as_str))
                .map(str::to_owned),
            known: self.known,
        })
    }
}

/// The error for a value of another type.
pub(super) fn mismatch(key: &Key, found: &Value, expected: &str) -> ConfigError {
    ConfigError::Value { key: key.clone(), found: found.to_string(), expected: expected.to_owned() }
}

/// A schema in words, for messages.
pub(super) fn expectation(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let names: Vec<String> = values.iter().map(Value::to_string).collect();
        return format!("one of {}", names.join(", "));
    }
    if let Some(types) = schema.get("type").and_then(Value::as_array) {
        let words: Vec<String> =
            types.iter().map(|kind| expectation(&serde_json::json!({ "type": kind }))).collect();
        return words.join(" or ");
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => "a whole number".to_owned(),
        Some("number") => "a number".to_owned(),
        Some("string") => "a text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        _ => "a table".to_owned(),
    }
}
