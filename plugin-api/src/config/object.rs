//! Reading a table key by key, so that unknown and missing keys are noticed.

use std::borrow::Cow;
use std::ops::RangeBounds;

use serde_json::{Map, Value, json};

use super::error::one_of;
use super::range::{Ranged, limit, limits, range_schema};
use super::{Config, ConfigError, Key, Number};

/// A table being read: hands out its keys and at the end refuses those nobody asked for.
pub struct ObjectReader<'v> {
    table: &'v Map<String, Value>,
    key: Key,
    known: Vec<String>,
    /// Other spellings that the table has, by the key that they stand for.
    spelled: Vec<(&'static str, &'static str)>,
    /// What the next key means.
    help: &'static str,
}

impl<'v> ObjectReader<'v> {
    /// Starts reading the table at `key`.
    ///
    /// # Errors
    /// The value is no table.
    pub fn new(value: &'v Value, key: &Key) -> Result<Self, ConfigError> {
        match value {
            Value::Object(table) => Ok(Self::of(table, key)),
            other => Err(ConfigError::mismatch(key, other, "a table")),
        }
    }

    fn of(table: &'v Map<String, Value>, key: &Key) -> Self {
        Self { table, key: key.clone(), known: Vec::new(), spelled: Vec::new(), help: "" }
    }

    /// Reads a whole table. An unknown key is refused first: a misspelt one explains what else is wrong.
    ///
    /// # Errors
    /// As [`Config::from_value`].
    pub fn read<T: Config>(value: &'v Value, key: &Key) -> Result<T, ConfigError> {
        let Value::Object(table) = value else {
            return Err(ConfigError::mismatch(key, value, expectation(&T::inline_schema())));
        };
        let mut reader = Self::of(table, key);
        if let Some(keys) = T::table_keys(reader.table) {
            reader.only(keys)?;
        }
        T::read_table(&mut reader)
    }

    /// Reads one key; `default` stands in where it is missing.
    ///
    /// # Errors
    /// The key is missing and has no default, or its value does not fit.
    pub fn field<T: Config>(&mut self, name: &str, default: Option<T>) -> Result<T, ConfigError> {
        self.expected(name, default, T::schema)
    }

    /// Reads one key whose numbers are limited.
    ///
    /// # Errors
    /// As [`Self::field`], and a number outside of the range.
    pub fn limited<T: Config + Ranged<N>, N: Number>(
        &mut self,
        name: &str,
        default: Option<T>,
        range: &impl RangeBounds<N>,
    ) -> Result<T, ConfigError> {
        let schema = || range_schema(T::schema(), range);
        let key = self.spelled(name).0;
        match self.expected(name, default, schema) {
            Ok(value) => limit(value, range, &key),
            // Of another type: what is expected has the limits as well.
            Err(ConfigError::Value { key: of, found, .. }) if of == key && is_number(&T::schema()) => {
                Err(ConfigError::Value { key, found, expected: expectation(&schema()) })
            }
            Err(other) => Err(other),
        }
    }

    fn expected<T: Config>(
        &mut self,
        name: &str,
        default: Option<T>,
        schema: impl FnOnce() -> Value,
    ) -> Result<T, ConfigError> {
        self.known.push(name.to_owned());
        let help = std::mem::take(&mut self.help);
        match self.spelled(name) {
            (key, Some(value)) => T::from_value(value, &key),
            (key, None) => default.or_else(T::default_value).ok_or_else(|| {
                let mut expected = expectation(&schema());
                if let Some(first) = help.lines().next() {
                    expected = format!("{expected}: {}", first.trim_end_matches('.'));
                }
                ConfigError::MissingKey { key, expected }
            }),
        }
    }

    /// Says what the key means that is read next: a reader who misses it wants to know.
    #[must_use]
    pub fn about(&mut self, help: &'static str) -> &mut Self {
        self.help = help;
        self
    }

    /// A key as the table spells it, and its value.
    fn spelled(&self, name: &str) -> (Key, Option<&'v Value>) {
        let other = self.spelled.iter().find(|(key, _)| *key == name).map(|(_, other)| *other);
        let name = other.unwrap_or(name);
        (self.key.child(name), self.table.get(name))
    }

    /// Says that a key may be spelled in another way as well.
    ///
    /// # Errors
    /// The table has both.
    pub fn alias(&mut self, name: &'static str, other: &'static str) -> Result<(), ConfigError> {
        self.known.push(other.to_owned());
        if !self.table.contains_key(other) {
            return Ok(());
        }
        if self.spelled(name).1.is_some() {
            let expected = format!("`{name}` alone: they are the same");
            let found = format!("there beside `{name}`");
            return Err(ConfigError::Value { key: self.key.child(other), found, expected });
        }
        self.spelled.push((name, other));
        Ok(())
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

    /// Everything that was not asked for.
    pub fn rest(&mut self) -> Map<String, Value> {
        let rest = self.table.iter().filter(|(name, _)| !self.known.contains(name));
        let rest: Map<_, _> = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
        self.known.extend(rest.keys().cloned());
        rest
    }

    /// The text of the key that says which of several tables this is.
    pub fn tag(&mut self, name: &str) -> Option<&'v str> {
        self.known.push(name.to_owned());
        self.table.get(name)?.as_str()
    }

    /// The error for a tag that is none of `known`, or not there.
    pub fn no_such_tag(&self, name: &str, known: &[&str]) -> ConfigError {
        match self.spelled(name) {
            (key, Some(value)) => ConfigError::no_choice(&key, value, known),
            (key, None) => ConfigError::MissingKey { key, expected: one_of(known) },
        }
    }

    /// The table.
    pub fn table(&self) -> &'v Map<String, Value> {
        self.table
    }

    /// Path of a key of this table.
    pub fn key(&self, name: &str) -> Key {
        self.key.child(name)
    }

    /// Path of this table.
    pub fn table_key(&self) -> &Key {
        &self.key
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// A key of the table that was not read, with the nearest one that was.
    pub fn finish(mut self) -> Result<(), ConfigError> {
        let known = std::mem::take(&mut self.known);
        self.only(known)
    }

    /// Refuses keys that are none of `known`.
    fn only(&self, known: Vec<String>) -> Result<(), ConfigError> {
        let Some(unknown) = self.table.keys().find(|name| !known.contains(name)) else {
            return Ok(());
        };
        Err(ConfigError::UnknownKey {
            key: self.key.child(unknown),
            nearest: crate::nearest::nearest(unknown, known.iter().map(String::as_str)).map(str::to_owned),
            known,
        })
    }
}

/// Reads a table without keys; none where one is required.
#[doc(hidden)]
pub fn of_empty_table<T: Config>() -> Option<T> {
    T::read_table(&mut ObjectReader::of(&Map::new(), &Key::root())).ok()
}

/// A table whose one key `name` may stand for it: `value` itself, or the table that it is short for.
///
/// # Errors
/// Neither a table nor what the key takes.
#[doc(hidden)]
pub fn lengthen<'v, T: Config>(
    value: &'v Value,
    name: &str,
    key: &Key,
) -> Result<Cow<'v, Value>, ConfigError> {
    if value.is_object() {
        return Ok(Cow::Borrowed(value));
    }
    match T::from_value(value, key) {
        Ok(_) => Ok(Cow::Owned(json!({ name: value }))),
        Err(ConfigError::Value { key, found, expected }) => {
            let expected = format!("{expected}, or a table with `{name}`");
            Err(ConfigError::Value { key, found, expected })
        }
        Err(other) => Err(other),
    }
}

/// A schema in words, for messages.
pub(super) fn expectation(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let names: Vec<String> = values.iter().map(Value::to_string).collect();
        return format!("one of {}", names.join(", "));
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        return choices.iter().map(expectation).collect::<Vec<_>>().join(", or ");
    }
    if let Some(types) = schema.get("type").and_then(Value::as_array) {
        let words: Vec<String> =
            types.iter().map(|kind| expectation(&serde_json::json!({ "type": kind }))).collect();
        return words.join(" or ");
    }
    let limits = limits(schema);
    let limited = |number: &str| {
        if limits.is_empty() { number.to_owned() } else { format!("{number} of {limits}") }
    };
    match schema.get("type").and_then(Value::as_str) {
        Some("integer") => limited("a whole number"),
        Some("number") => limited("a number"),
        Some("string") if schema.get("format").is_some_and(|format| format == "path") => "a path".to_owned(),
        Some("string") => "a text".to_owned(),
        Some("boolean") => "true or false".to_owned(),
        Some("array") => "a list".to_owned(),
        _ => table(schema),
    }
}

fn is_number(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "integer" || kind == "number")
}

/// A table with the keys that it has to have.
fn table(schema: &Value) -> String {
    let of = schema.pointer("/oneOf/0").unwrap_or(schema);
    let required = of.get("required").and_then(Value::as_array);
    let keys: Vec<String> =
        required.into_iter().flatten().filter_map(Value::as_str).map(|key| format!("`{key}`")).collect();
    match keys.as_slice() {
        [] => "a table".to_owned(),
        keys if of != schema => format!("a table with {}", keys[0]),
        keys => format!("a table with {}", keys.join(", ")),
    }
}
