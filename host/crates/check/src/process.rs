//! One check in one child process: this program once more, with a hidden command, or a copy of one that waits
//! for jobs (`zygote`).
//!
//! The child writes its outcome into a file of a scratch folder. Where that is missing at its end, the plugin
//! ended the process; where the time runs out, it is killed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thaw_plugin_api::abi::Kind;

use super::subject::Subject;
use super::zygote::Zygotes;
use super::{Body, Check, Outcome, find};
use thaw_plugins::PluginFile;

/// What a child is to do, as it crosses the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Id of the check.
    pub check: String,
    /// The plugin's private copy.
    pub file: PluginFile,
    /// What to look at; the file alone where there is none.
    pub item: Option<(Kind, String)>,
    /// Keys of its configuration that were given.
    pub config: Value,
    /// What random values follow from.
    pub seed: u64,
    /// A folder for this check alone.
    pub scratch: PathBuf,
}

const OUTCOME: &str = "outcome.json";
const DOING: &str = "doing.txt";
pub(super) const STDOUT: &str = "stdout.txt";
pub(super) const STDERR: &str = "stderr.txt";

/// How often a child is looked after.
const PATIENCE: Duration = Duration::from_millis(3);

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

    /// `None` where it was not done in time.
    pub(super) fn spawn_and_wait(&self, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
        let stream = |name: &str| File::create(self.scratch.join(name));
        let mut child = Command::new(std::env::current_exe()?)
            .args(["plugin", "run-check", &serde_json::to_string(self)?])
            .stdin(Stdio::null())
            .stdout(stream(STDOUT)?)
            .stderr(stream(STDERR)?)
            .envs(single_threaded())
            .env("TMPDIR", &self.scratch)
            .spawn()?;
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if started.elapsed() >= limit {
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            std::thread::sleep(PATIENCE);
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

    /// Leaves a word for the case that the plugin never comes back.
    pub(super) fn doing(&self, text: &str) {
        let _ = fs::write(self.scratch.join(DOING), text);
    }

    /// What the first of two processes left for the second.
    pub(super) fn left_behind(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.scratch.join(name)).ok()
    }

    /// Leaves something for the second of two processes, or for whoever started this one.
    pub(super) fn leave_behind(&self, name: &str, text: &str) -> Result<(), Outcome> {
        fs::write(self.scratch.join(name), text)
            .map_err(|error| Outcome::skipped(format!("{}: {error}", self.scratch.display())))
    }
}

/// One thread for each check: several run at once, and numbers do not depend on the machine.
pub(super) fn single_threaded() -> [(&'static str, &'static str); 2] {
    [("OMP_NUM_THREADS", "1"), ("MKL_NUM_THREADS", "1")]
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
        None => super::zygote::serve().map_err(|error| error.to_string()),
    }
}

fn write_outcome(scratch: &Path, outcome: &Outcome) -> std::io::Result<()> {
    let whole = scratch.join("outcome.part");
    fs::write(&whole, serde_json::to_string(outcome)?)?;
    fs::rename(whole, scratch.join(OUTCOME))
}
