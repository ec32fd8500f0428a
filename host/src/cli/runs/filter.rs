//! Which runs are listed.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::Error;
use thaw_plugin_api::hint;
use thaw_report::runs::{Found, settings};

/// States, and `resumable`.
const STATES: [&str; 6] = ["running", "done", "interrupted", "failed", "gone", "resumable"];

/// A key with the value that a run is to have there.
#[derive(Clone, Debug)]
pub(super) struct Filter {
    key: String,
    value: String,
}

impl FromStr for Filter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, such as state=done")?;
        Ok(Self { key: key.trim().to_owned(), value: value.trim().to_owned() })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.key, self.value)
    }
}

impl Filter {
    /// Refuses a key that no run has, and a state that there is not: nothing would be listed.
    ///
    /// # Errors
    /// With the nearest one that there is.
    pub(super) fn check(&self, runs: &[Found]) -> Result<(), Error> {
        let (key, value) = (&self.key, &self.value);
        if key == "state" {
            let hint = hint(value, STATES);
            let all = STATES.join(", ");
            return match STATES.contains(&value.as_str()) {
                true => Ok(()),
                false => Err(Error::Usage(format!("--filter {key}={value}: expected one of {all}{hint}"))),
            };
        }
        let keys: BTreeSet<String> =
            runs.iter().flat_map(|found| settings(&found.run.table).into_keys()).collect();
        if keys.contains(key) {
            return Ok(());
        }
        let hint = hint(key, keys.iter().map(String::as_str).chain(["state"]));
        Err(Error::Usage(format!("--filter {key}={value}: no run's config has this key{hint}")))
    }

    /// Whether a run has it. Numbers are compared as numbers; `state=resumable` takes every run that can go
    /// on.
    pub(super) fn takes(&self, found: &Found) -> bool {
        if self.key == "state" {
            return self.value == found.run.state.word()
                || (self.value == "resumable" && found.is_resumable());
        }
        let settings = settings(&found.run.table);
        let Some(value) = settings.get(&self.key) else { return false };
        match (value.parse::<f64>(), self.value.parse::<f64>()) {
            (Ok(value), Ok(wanted)) => value == wanted,
            _ => *value == self.value,
        }
    }
}
