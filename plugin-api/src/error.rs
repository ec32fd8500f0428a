//! Errors of plugins: a message, what to do about it, and the chain of causes.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Result of everything an author writes.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as the host treats it differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The configuration of a strategy, callback, model or data set is wrong (the program exits with 2).
    Config,
    /// Saved state does not fit the code that reads it.
    State,
    /// A panic, caught at the boundary.
    Panic,
    /// Groups, or groups and freeze state, that no run accepts.
    Groups,
    /// The hook is not implemented; never seen by authors.
    NotImplemented,
    /// A kind this version does not know, or none in particular.
    #[default]
    #[serde(other)]
    Other,
}

/// An error of a plugin. Every `std::error::Error` converts into it, so that `?` works.
///
/// ```
/// use thaw_plugin_api::prelude::*;
///
/// fn rate(text: &str) -> Result<f64> {
///     let rate: f64 = text.parse()?;
///     ensure!(rate >= 0.0, "the rate {rate} is negative");
///     Ok(rate)
/// }
///
/// assert!(rate("0.1").is_ok());
/// assert_eq!(rate("-1").unwrap_err().to_string(), "the rate -1 is negative");
/// ```
///
/// Its `Debug` is its `Display`: what `cargo test` prints of an error that a test returns.
#[derive(Clone, Serialize, Deserialize)]
pub struct Error {
    #[serde(default)]
    kind: ErrorKind,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
}

impl Error {
    /// An error with a message that names what was found and what was expected.
    pub fn new(message: impl fmt::Display) -> Self {
        Self::of(ErrorKind::Other, message)
    }

    /// An error of a given kind.
    pub fn of(kind: ErrorKind, message: impl fmt::Display) -> Self {
        Self { kind, message: message.to_string(), help: None, causes: Vec::new() }
    }

    /// Adds what the user can do about it, printed on a line of its own.
    #[must_use]
    pub fn help(mut self, help: impl fmt::Display) -> Self {
        self.help = Some(help.to_string());
        self
    }

    /// Puts this error under a broader one: `message` becomes the headline, this error its first cause.
    #[must_use]
    pub fn context(mut self, message: impl fmt::Display) -> Self {
        self.causes.insert(0, std::mem::replace(&mut self.message, message.to_string()));
        self
    }

    /// What went wrong, as far as the host treats it differently.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The headline, without causes.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the user can do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// The causes, nearest first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for cause in &self.causes {
            write!(f, ": {cause}")?;
        }
        match &self.help {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// `Error` itself is no `std::error::Error`: that leaves room for the conversion from all of them.
impl<E: std::error::Error + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let is_config = (&error as &dyn std::any::Any).is::<crate::config::ConfigError>();
        let kind = if is_config { ErrorKind::Config } else { ErrorKind::Other };
        let mut causes = Vec::new();
        let mut source = error.source();
        while let Some(cause) = source {
            causes.push(cause.to_string());
            source = cause.source();
        }
        Self { kind, message: error.to_string(), help: None, causes }
    }
}

/// Returns an [`Error`] with a formatted message.
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::core::result::Result::Err($crate::Error::new(::std::format_args!($($message)*)))
    };
}

/// Returns an [`Error`] with a formatted message unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            $crate::bail!($($message)*);
        }
    };
}
