//! One check in one child process: this program once more, with a hidden command, or a copy of one that waits
//! for jobs (`zygote`).
//!
//! The child writes its outcome into a file of a scratch folder. Where that is missing at its end, the plugin
//! ended the process; where the time runs out, it is killed.

use std::fs;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use super::job::{DOING, Job, STDERR, STDOUT};
use super::subject::Subject;
use super::zygote::Zygotes;
use super::{Body, Check, Outcome, find};

const OUTCOME: &str = "outcome.json";

impl Job {
    /// Runs the check in a child process, or in two of them; `limit` holds for each.
    pub(super) fn run(&self, check: &Check, limit: Duration, zygotes: &Zygotes) -> Outcome {
        let first = self.outcome(check, limit, || zygotes.run(self, limit));
        // A process of its own, so that addresses differ.
        if check.twice && first.is_ground() {
            self.outcome(check, limit, || self.spawn_and_wait(limit))
        } else {
            first
        }
    }

    fn outcome(
        &self,
        check: &Check,
        limit: Duration,
        run: impl FnOnce() -> std::io::Result<Option<ExitStatus>>,
    ) -> Outcome {
        let _ = fs::remove_file(self.scratch.join(OUTCOME));
        match run() {
            Err(error) => Outcome::skipped(format!("the check could not be started: {error}")),
            Ok(None) => Outcome::TimedOut {
                details: format!("not done after {} s{}", limit.as_secs_f64(), self.circumstances()),
            },
            Ok(Some(status)) => self.judge(check, status),
        }
    }

    fn judge(&self, check: &Check, status: ExitStatus) -> Outcome {
        let written = fs::read_to_string(self.scratch.join(OUTCOME))
            .ok()
            .and_then(|text| serde_json::from_str(&text).ok());
        let Some(outcome) = written.filter(|_| status.success()) else {
            return Outcome::Crashed {
                details: format!("the process ended with {}{}", ending(status), self.circumstances()),
            };
        };
        let printed = fs::read(self.scratch.join(STDOUT)).unwrap_or_default();
        if check.id == super::process_state::STDOUT && outcome == Outcome::passed() && !printed.is_empty() {
            return super::process_state::printed(&String::from_utf8_lossy(&printed));
        }
        outcome
    }

    /// Runs the check in this process and writes its outcome.
    ///
    /// # Errors
    /// A job for which there is no check, or an outcome that cannot be written.
    pub(super) fn check(&self) -> Result<(), String> {
        let kind = self.item.as_ref().map(|(kind, _)| *kind);
        let check = find(&self.check, kind).ok_or_else(|| format!("there is no check `{}`", self.check))?;
        let verdict = match check.body {
            Body::File(body) => body(self),
            Body::Item(body) | Body::Instance(body) | Body::Model(body) | Body::Dataset(body) => {
                Subject::open(self.clone()).and_then(|mut subject| body(&mut subject))
            }
        };
        let outcome = verdict.unwrap_or_else(|outcome| outcome);
        write_outcome(&self.scratch, &outcome).map_err(|error| format!("{}: {error}", self.scratch.display()))
    }

    /// What the child was doing, and the last it said of itself.
    fn circumstances(&self) -> String {
        let read = |name: &str| {
            fs::read(self.scratch.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned())
        };
        let doing = read(DOING).ok().filter(|text| !text.is_empty()).map(|text| format!(", {text}"));
        let said = read(STDERR).unwrap_or_default();
        let said = said
            .lines()
            .rev()
            .find(|line| !line.trim().is_empty())
            .map(|line| format!("; it said: {}", line.trim()));
        format!("{}{}", doing.unwrap_or_default(), said.unwrap_or_default())
    }
}

fn ending(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("signal {signal}");
    }
    status.code().map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}"))
}

/// The child: runs the check of a job; without a job, waits for some.
///
/// # Errors
/// A text that is no job, or an outcome that cannot be written.
pub fn run_job(text: Option<&str>) -> Result<(), String> {
    match text {
        Some(text) => serde_json::from_str::<Job>(text).map_err(|error| format!("no job: {error}"))?.check(),
        None => super::zygote::serve(Job::check).map_err(|error| error.to_string()),
    }
}

fn write_outcome(scratch: &Path, outcome: &Outcome) -> std::io::Result<()> {
    let whole = scratch.join("outcome.part");
    fs::write(&whole, serde_json::to_string(outcome)?)?;
    fs::rename(whole, scratch.join(OUTCOME))
}
