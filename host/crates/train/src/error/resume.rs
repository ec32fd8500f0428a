//! Why a run is not resumed.

use std::path::PathBuf;

use serde_json::Value;

use super::FitError;
use thaw_data::DataChange;

/// A run config, data or position that a checkpoint cannot be gone on from with.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// Keys that a resumed run does not take.
    #[error(
        "the run cannot be resumed with other values of these keys:\n  {}\nresume it with the values from \
         before, or start a new \
         run from its weights: `weights = \"{}\"` in [model]",
        refused_text(.refused), weights.display()
    )]
    Changed {
        /// Each with the reason.
        refused: Vec<Refused>,
        /// The checkpoint, as a source of weights.
        weights: PathBuf,
    },
    /// Other classes, or another order of them.
    #[error(
        "[data] has the classes {found}, the checkpoint was trained on {expected}: their order decides what \
         an output means"
    )]
    Classes {
        /// Those of the data.
        found: String,
        /// Those of the checkpoint.
        expected: String,
    },
    /// Other training data, in the middle of an epoch.
    #[error(
        "[data] has {found} training samples, and had {expected} when the checkpoint was written in the \
         middle of epoch {}: in the order of so many, samples would be repeated or left out. Resume from a \
         checkpoint at the end of an epoch, or with the data from before",
        .epoch + 1
    )]
    Samples {
        /// Of the data.
        found: usize,
        /// Of the checkpoint.
        expected: usize,
        /// The epoch.
        epoch: usize,
    },
    /// Other training samples, in the middle of an epoch.
    #[error(
        "[data] is not what it was when the checkpoint was written in the middle of epoch {}: {change}; \
         samples would be repeated or left out. Resume from a checkpoint at the end of an epoch, or with the \
         data from before",
        .epoch + 1
    )]
    OtherSamples {
        /// What changed.
        change: DataChange,
        /// The epoch.
        epoch: usize,
    },
}

impl From<ResumeError> for super::Error {
    fn from(error: ResumeError) -> Self {
        FitError::from(error).into()
    }
}

/// A key with another value than the checkpoint's run config has.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Change {
    /// `TABLE.KEY`.
    pub key: String,
    /// The checkpoint's value; null where it has none.
    pub from: Value,
    /// That of the resumed run.
    pub to: Value,
}

/// A key that is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// The key and its values.
    pub change: Change,
    /// Why.
    pub reason: String,
}

fn refused_text(refused: &[Refused]) -> String {
    let lines = refused.iter().map(|Refused { change, reason }| {
        format!("{} (was {}, is {}): {reason}", change.key, shown(&change.from), shown(&change.to))
    });
    lines.collect::<Vec<_>>().join("\n  ")
}

/// A value of a run config in a line of text; a long one is cut.
pub fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not given".to_owned(),
        value => thaw_terminal::escape::excerpt(&value.to_string()).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_long_value_is_cut_and_others_stay() {
        assert_eq!(shown(&json!({ "text": "title" })), "{\"text\":\"title\"}");
        let long = shown(&json!("c".repeat(66_000)));
        assert!(long.chars().count() < 600 && long.starts_with("\"ccc"), "{long}");
    }
}
