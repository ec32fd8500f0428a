//! What came of a command.

use std::fmt;
use std::process::{Command, ExitStatus};

/// A command that has ended.
pub struct Finished {
    command: String,
    status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it said of itself: log and errors.
    pub stderr: String,
}

impl Finished {
    /// Runs a command to its end.
    pub fn run(mut command: Command) -> Self {
        let output =
            command.output().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            command: format!("{command:?}"),
            status: output.status,
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    pub(crate) fn new(command: String, status: ExitStatus, stdout: String, stderr: String) -> Self {
        Self { command, status, stdout, stderr }
    }

    /// The exit code; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Expects exit code 0.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code(), Some(0), "expected success of {self}");
        self
    }

    /// Expects this exit code and one error message with all of these texts in it.
    #[track_caller]
    pub fn failed(self, code: i32, texts: &[&str]) -> Self {
        assert_eq!(self.code(), Some(code), "expected exit code {code} of {self}");
        let errors = self.stderr.lines().filter(|line| line.starts_with("error: ")).count();
        assert_eq!(errors, 1, "expected one error message of {self}");
        let error = self.error();
        for text in texts {
            assert!(error.contains(text), "expected `{text}` in the error message of {self}");
        }
        for noise in ["panicked at", "RUST_BACKTRACE", "stack backtrace", "frame #"] {
            assert!(!self.stderr.contains(noise), "`{noise}` is not for users: {self}");
        }
        self
    }

    /// Expects a run that the user stopped: exit code 130, which is no error.
    #[track_caller]
    pub fn interrupted(self) -> Self {
        assert_eq!(self.code(), Some(130), "expected an interrupted run: {self}");
        self.does_not_say("error:")
    }

    /// Expects a text on stderr.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "expected `{text}` on stderr of {self}");
        self
    }

    /// Expects a text not to be on stderr.
    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Self {
        assert!(!self.stderr.contains(text), "`{text}` is on stderr of {self}");
        self
    }

    /// The error message, to the end of stderr.
    pub fn error(&self) -> &str {
        let start = if self.stderr.starts_with("error: ") {
            Some(0)
        } else {
            self.stderr.rfind("\nerror: ").map(|index| index + 1)
        };
        start.map_or("", |start| &self.stderr[start..])
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}", self.command, self.status)?;
        writeln!(f, "--- stdout\n{}\n--- stderr\n{}", self.stdout.trim_end(), self.stderr.trim_end())
    }
}
