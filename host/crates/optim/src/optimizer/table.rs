//! Reading a table of the run config key by key, with errors that name the key, what was found and what was
//! expected.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// A key that is unknown, missing or has a value that does not fit.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{path}.{key}: found {found}, expected {expected}")]
pub struct KeyError {
    /// The table, as `optimizer` or `scheduler.schedulers[1]`.
    pub path: String,
    /// The key.
    pub key: String,
    /// Its value, or what is wrong with it.
    pub found: String,
    /// What it may be.
    pub expected: String,
}

/// A table whose keys are taken out one by one.
pub(crate) struct Table {
    path: String,
    keys: Map<String, Value>,
}

impl Table {
    pub(crate) fn new(path: impl Into<String>, keys: Map<String, Value>) -> Table {
        Table { path: path.into(), keys }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn error(&self, key: &str, found: impl Into<String>, expected: impl Into<String>) -> KeyError {
        KeyError {
            path: self.path.clone(),
            key: key.to_owned(),
            found: found.into(),
            expected: expected.into(),
        }
    }

    /// The `id`, which has to be one of those there are.
    pub(crate) fn id(&mut self, ids: &'static [&'static str]) -> Result<&'static str, KeyError> {
        let expected = format!("one of {}", ids.join(", "));
        match self.keys.remove("id") {
            Some(Value::String(id)) => match ids.iter().find(|known| **known == id) {
                Some(known) => Ok(known),
                None => {
                    let hint = nearest(&id, ids.iter().copied());
                    Err(self.error("id", format!("{id:?}"), expected + &hint))
                }
            },
            Some(other) => Err(self.error("id", other.to_string(), expected)),
            None => Err(self.error("id", "nothing", expected)),
        }
    }

    /// Refuses keys that are none of `known`. `owner` is what these belong to.
    pub(crate) fn only(&self, owner: &str, known: &[&str]) -> Result<(), KeyError> {
        match self.keys.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(()),
            Some(_) if known.is_empty() => {
                let key = self.keys.keys().next().map_or("", String::as_str);
                Err(self.error(key, "an unknown key", format!("no further key for {owner}")))
            }
            Some(key) => {
                let hint = nearest(key, known.iter().copied());
                Err(self.error(
                    key,
                    "an unknown key",
                    format!("one of {} for {owner}{hint}", known.join(", ")),
                ))
            }
        }
    }

    /// A key's value; `None` where it is not there.
    pub(crate) fn get<T: DeserializeOwned>(
        &mut self,
        key: &str,
        expected: &str,
    ) -> Result<Option<T>, KeyError> {
        let Some(value) = self.keys.remove(key) else { return Ok(None) };
        let found = value.to_string();
        serde_json::from_value(value).map(Some).map_err(|_| self.error(key, found, expected))
    }

    /// A key's value, or this one where it is not there.
    pub(crate) fn or<T: DeserializeOwned>(
        &mut self,
        key: &str,
        expected: &str,
        default: T,
    ) -> Result<T, KeyError> {
        Ok(self.get(key, expected)?.unwrap_or(default))
    }

    /// The value of a key that has to be there.
    pub(crate) fn required<T: DeserializeOwned>(&mut self, key: &str, expected: &str) -> Result<T, KeyError> {
        self.get(key, expected)?.ok_or_else(|| self.error(key, "nothing", expected))
    }
}

/// `"; nearest: …"` for a name that is not among those there are, or nothing where none is near.
pub(crate) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    thaw_plugin_api::nearest(name, candidates)
        .map_or(String::new(), |nearest| format!("; nearest: {nearest}"))
}
