//! Names of checkpoints.

use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The name of a checkpoint that a hook asks for: that of a folder, of letters, digits, `-`, `_`, `=` and
/// `.`, which does not begin with `.`. `last` and `best` are the host's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CheckpointName(String);

impl CheckpointName {
    /// A name.
    ///
    /// # Errors
    /// Another character, or a name of the host's.
    pub fn new(name: &str) -> Result<Self> {
        if name.is_empty() || name.starts_with('.') || !name.chars().all(Self::allows) {
            return Err(Error::new(format_args!(
                "`{name}` cannot be the name of a checkpoint: expected letters, digits, -, _, = and ."
            )));
        }
        if ["last", "best"].contains(&name) {
            return Err(Error::new(format_args!(
                "`{name}` is a name of the host's own; take another one for a checkpoint"
            )));
        }
        Ok(Self(name.to_owned()))
    }

    /// Whether a name may have this character.
    pub fn allows(character: char) -> bool {
        character.is_ascii_alphanumeric() || "-_=.".contains(character)
    }
}

impl Deref for CheckpointName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CheckpointName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CheckpointName {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        Self::new(&name)
    }
}

impl From<CheckpointName> for String {
    fn from(name: CheckpointName) -> Self {
        name.0
    }
}
