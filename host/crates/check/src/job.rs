//! What a process of a check is to do, and what it leaves in the check's folder.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thaw_plugin_api::abi::Kind;

use super::Outcome;
use thaw_plugins::PluginFile;

/// What the child is at, for the case that it does not end well.
pub(super) const DOING: &str = "doing.txt";
pub(super) const STDOUT: &str = "stdout.txt";
pub(super) const STDERR: &str = "stderr.txt";

/// How often a child is looked after.
const PATIENCE: Duration = Duration::from_millis(3);

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

impl Job {
    /// Does it in a process that is started anew. `None` where it was not done in time.
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
