//! A command that is running, while the test does something else.

use std::io::{BufRead, BufReader, PipeReader, Write};
use std::process::{Child, Command, Stdio};

use crate::Finished;

/// A running command. What it prints, to stdout and stderr alike, comes line by line; its stdin is the
/// test's.
pub struct Live {
    command: String,
    child: Child,
    output: BufReader<PipeReader>,
    text: String,
}

impl Live {
    /// Starts a command.
    pub fn start(mut command: Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe can be made");
        let shown = format!("{command:?}");
        command
            .stdin(Stdio::piped())
            .stdout(writer.try_clone().expect("a pipe can be shared"))
            .stderr(writer);
        let child = command.spawn().unwrap_or_else(|error| panic!("{shown} cannot be started: {error}"));
        // The writing ends go with the command: the output ends when the process does.
        drop(command);
        Self { command: shown, child, output: BufReader::new(reader), text: String::new() }
    }

    /// Waits until it prints a line with this text.
    #[track_caller]
    pub fn prints(&mut self, text: &str) {
        let start = self.text.len();
        while !self.text[start..].lines().any(|line| line.contains(text)) {
            let read = self.output.read_line(&mut self.text).expect("a pipe can be read");
            assert!(read > 0, "{} ended without printing `{text}`:\n{}", self.command, self.text);
        }
    }

    /// Writes an empty line to its stdin, which a `case-wait` waits for.
    pub fn go_on(&mut self) {
        let stdin = self.child.stdin.as_mut().expect("stdin is the test's");
        stdin.write_all(b"\n").and_then(|()| stdin.flush()).expect("the command reads");
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        let sent = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "a process of this test can be sent a signal");
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process of this test can be ended");
    }

    /// Ends it and all that it started, at once. It has to be the leader of a process group.
    pub fn kill_group(&self) {
        let group = format!("-{}", self.child.id());
        let sent = Command::new("kill").args(["-KILL", "--", &group]).status();
        assert!(sent.is_ok_and(|status| status.success()), "a process group of this test can be ended");
    }

    /// Waits for its end; its stdin has none to say any more.
    pub fn finish(mut self) -> Finished {
        drop(self.child.stdin.take());
        std::io::Read::read_to_string(&mut self.output, &mut self.text).expect("a pipe can be read");
        let status = self.child.wait().expect("a process of this test can be waited for");
        Finished::new(self.command, status, self.text.clone(), self.text)
    }
}
