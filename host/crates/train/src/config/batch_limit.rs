//! How many batches of a pass are taken: a number, or a share of them.

use serde_json::{Value, json};
use thaw_plugin_api::config::{Config, ConfigError, Key};

/// What a limit takes.
const EXPECTED: &str = "a number of batches from 1, or a share above 0 and up to 1.0, with its point";

/// A limit as Lightning has it: whole numbers are batches, numbers with a point a share of all. So `1` is one
/// batch, and `1.0` all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BatchLimit {
    /// So many batches, at most; 1 or more.
    Batches(usize),
    /// This share of the batches, rounded down; above 0 and up to 1.
    Share(f64),
}

impl BatchLimit {
    /// How many of so many batches are taken.
    ///
    /// # Errors
    /// The share is less than one batch.
    pub fn of(self, batches: usize, key: &str) -> Result<usize, ConfigError> {
        match self {
            Self::Batches(limit) => Ok(batches.min(limit)),
            Self::Share(share) => match (share * batches as f64) as usize {
                0 if batches > 0 => {
                    let found = format!("{share}, less than one of {batches} batches");
                    let least = (1e4 / batches as f64).ceil() / 1e4;
                    Err(ConfigError::value(key, found, format!("at least {least}, or a number of batches")))
                }
                limit => Ok(limit),
            },
        }
    }
}

impl BatchLimit {
    /// The batches of training from one validation to the next, of so many in an epoch; a share is rounded
    /// down, to 1 at least.
    ///
    /// # Errors
    /// A number of batches that no epoch has.
    pub fn interval(self, batches: usize, key: &str) -> Result<usize, ConfigError> {
        match self {
            Self::Batches(interval) if interval > batches => {
                let expected = format!("at most {batches}, the batches of training in an epoch");
                Err(ConfigError::value(key, interval, expected))
            }
            Self::Batches(interval) => Ok(interval),
            Self::Share(share) => Ok(((share * batches as f64) as usize).max(1)),
        }
    }
}

impl Config for BatchLimit {
    fn schema() -> Value {
        json!({ "anyOf": [
            { "type": "integer", "minimum": 1 },
            { "type": "number", "exclusiveMinimum": 0.0, "maximum": 1.0 },
        ] })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let read = match value.as_u64() {
            Some(batches) => usize::try_from(batches).ok().filter(|batches| *batches > 0).map(Self::Batches),
            None => value.as_f64().filter(|share| *share > 0.0 && *share <= 1.0).map(Self::Share),
        };
        read.ok_or_else(|| ConfigError::mismatch(key, value, EXPECTED))
    }

    fn to_value(&self) -> Value {
        match self {
            Self::Batches(batches) => json!(batches),
            Self::Share(share) => json!(share),
        }
    }
}
