//! What is wrong with a configuration, with the path of the key.

use std::fmt;

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
    #[error("unknown key `{key}`{}", nearest.as_ref().map_or_else(|| format!("; the keys are: {}", known.join(", ")), |n| format!(", did you mean `{n}`?")))]
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
