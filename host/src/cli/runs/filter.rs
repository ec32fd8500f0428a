//! Which runs are listed.

use std::str::FromStr;

use thaw_report::runs::{Found, settings};

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

impl Filter {
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
