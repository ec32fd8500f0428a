//! What is wrong with a configuration, with the path of the key.

use std::fmt;

use serde_json::Value;

/// Path of a key from the top of a configuration, such as `phases[2].lr`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The configuration itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Whether it is the configuration itself.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// A key of this table.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        if self.0.is_empty() { Self(name.to_owned()) } else { Self(format!("{}.{name}", self.0)) }
    }

    /// This key, of the table at `table`.
    #[must_use]
    pub fn within(&self, table: &Self) -> Self {
        if self.0.is_empty() { table.clone() } else { table.child(&self.0) }
    }

    /// An element of this list.
    #[must_use]
    pub fn element(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "the table" } else { &self.0 })
    }
}

/// A configuration that does not fit its schema.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// A key that the schema does not have.
    #[error("unknown key `{key}`{}", remedy(nearest.as_deref(), known))]
    UnknownKey {
        /// The key as written.
        key: Key,
        /// The nearest key there is.
        nearest: Option<String>,
        /// All keys there are.
        known: Vec<String>,
    },
    /// A required key that is not there.
    #[error("missing key `{key}`, expected {expected}")]
    MissingKey {
        /// The key.
        key: Key,
        /// What it takes.
        expected: String,
    },
    /// A value of another type or outside the range.
    #[error("`{key}` is {found}, expected {expected}")]
    Value {
        /// The key.
        key: Key,
        /// The value as found.
        found: String,
        /// What it takes.
        expected: String,
    },
    /// Values that do not go together: what a type's own `check` says.
    #[error("{}{reason}", if key.is_root() { String::new() } else { format!("`{key}`: ") })]
    Invalid {
        /// The table.
        key: Key,
        /// What is wrong.
        reason: String,
    },
}

impl ConfigError {
    /// A value that a type's own `check` refuses, by the key in its table.
    pub fn value(key: &str, found: impl fmt::Display, expected: impl Into<String>) -> Self {
        Self::Value { key: Key::root().child(key), found: found.to_string(), expected: expected.into() }
    }

    /// A value of another type.
    pub fn mismatch(key: &Key, value: &Value, expected: impl Into<String>) -> Self {
        Self::Value { key: key.clone(), found: value.to_string(), expected: expected.into() }
    }

    /// A value that is none of those there are, with the nearest one.
    pub fn no_choice(key: &Key, value: &Value, known: &[&str]) -> Self {
        let hint = crate::hint(value.as_str().unwrap_or_default(), known.iter().copied());
        Self::Value { key: key.clone(), found: value.to_string(), expected: one_of(known) + &hint }
    }

    /// The same error, of a key in the table at `table`.
    #[must_use]
    pub fn within(mut self, table: &Key) -> Self {
        let (Self::UnknownKey { key, .. }
        | Self::MissingKey { key, .. }
        | Self::Value { key, .. }
        | Self::Invalid { key, .. }) = &mut self;
        *key = key.within(table);
        self
    }
}

fn remedy(nearest: Option<&str>, known: &[String]) -> String {
    match nearest {
        Some(nearest) => format!(", did you mean `{nearest}`?"),
        None if known.is_empty() => "; there are none".to_owned(),
        None => format!("; the keys are: {}", known.join(", ")),
    }
}

pub(super) fn one_of(known: &[&str]) -> String {
    format!("one of {}", known.join(", "))
}

/// What a type's own `check` gives: a reason, or the error of one of its keys.
#[doc(hidden)]
pub trait Fault {
    /// The error of the table at `key`.
    fn at(self, key: &Key) -> ConfigError;
}

impl Fault for ConfigError {
    fn at(self, key: &Key) -> ConfigError {
        self.within(key)
    }
}

impl Fault for crate::Error {
    fn at(self, key: &Key) -> ConfigError {
        ConfigError::Invalid { key: key.clone(), reason: self.to_string() }
    }
}
