//! What comes of a check.

use serde::{Deserialize, Serialize};
use thaw_plugin_api::Error;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum Outcome {
    /// It holds; the note says what was looked at, where that is not everything.
    Passed {
        /// Empty for a check that looked at everything.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        note: String,
    },
    /// It does not hold.
    Failed(Finding),
    /// It holds, but not well, or may hold on another machine.
    Warning(Finding),
    /// There was nothing to look at.
    Skipped {
        /// Why.
        reason: String,
    },
    /// The plugin ended the process of the check.
    Crashed {
        /// The signal or exit code, and what was going on.
        details: String,
    },
    /// The plugin did not come back within the time limit.
    TimedOut {
        /// The limit, and what was going on.
        details: String,
    },
}

/// What is wrong, and what to do about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was found.
    pub found: String,
    /// What was expected.
    pub expected: String,
    /// What it probably comes from, and what to do.
    pub hint: String,
}

/// A check's way to its outcome: `?` ends it with the outcome that makes going on pointless.
pub type Verdict = Result<Outcome, Outcome>;

impl Outcome {
    /// It holds, and everything was looked at.
    pub fn passed() -> Self {
        Self::Passed { note: String::new() }
    }

    /// It holds for what the note says.
    pub fn noted(note: impl Into<String>) -> Self {
        Self::Passed { note: note.into() }
    }

    /// It does not hold.
    pub fn failed(found: impl Into<String>, expected: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed(Finding { found: found.into(), expected: expected.into(), hint: hint.into() })
    }

    /// It holds, but not well.
    pub fn warning(found: impl Into<String>, expected: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Warning(Finding { found: found.into(), expected: expected.into(), hint: hint.into() })
    }

    /// There is nothing to look at.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::Skipped { reason: reason.into() }
    }

    /// Whether the plugin is at fault; warnings count where they are to.
    pub fn is_failure(&self, strict: bool) -> bool {
        match self {
            Self::Failed(_) | Self::Crashed { .. } | Self::TimedOut { .. } => true,
            Self::Warning(_) => strict,
            Self::Passed { .. } | Self::Skipped { .. } => false,
        }
    }

    /// Whether checks that build on this one have a ground.
    pub fn is_ground(&self) -> bool {
        matches!(self, Self::Passed { .. } | Self::Warning(_))
    }

    /// The status as a word.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "passed",
            Self::Failed(_) => "FAILED",
            Self::Warning(_) => "warning",
            Self::Skipped { .. } => "skipped",
            Self::Crashed { .. } => "CRASHED",
            Self::TimedOut { .. } => "TIMED OUT",
        }
    }
}

/// Whether an error has a message worth reading.
pub(super) fn says_something(error: &Error) -> bool {
    let message = error.message().trim();
    message.chars().filter(|letter| letter.is_alphabetic()).count() >= 4
        && !["error", "failed", "invalid"].contains(&message.to_lowercase().as_str())
}
