//! One command of the program, within limits of time and memory.

use std::fs::File;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::attack::Fault;

/// What a command may take: tiny runs take a second, but others may share the machine.
const LIMIT: Duration = Duration::from_secs(120);
/// What a command may have of memory, in KiB: libtorch maps about 2 GiB.
const MEMORY: u64 = 8 << 20;
/// The exit codes that the program documents.
const DOCUMENTED: [i32; 5] = [0, 1, 2, 3, 130];
/// Where a command's output goes, in its folder.
const OUTPUT: [&str; 2] = ["stdout.txt", "stderr.txt"];

/// Where commands keep what frozen stages gave, in their folder.
pub const CACHE: &str = "cache";

/// A command of the program that is running, in a process group of its own.
pub struct Started {
    shown: String,
    folder: PathBuf,
    child: Child,
}

/// A command that has ended.
pub struct Ended {
    shown: String,
    status: ExitStatus,
    stdout: String,
    /// What it said.
    pub stderr: String,
}

/// Starts `host` with these arguments; `around` is a program that starts it, with its arguments.
pub fn start(folder: &Path, around: &[String], arguments: &[&str]) -> Result<Started, Fault> {
    let built = built()?;
    let host = built.join(format!("host{}", std::env::consts::EXE_SUFFIX));
    let shown = format!(
        "{}host {}",
        around.iter().map(|word| format!("{word} ")).collect::<String>(),
        arguments.join(" ")
    );
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("ulimit -v {MEMORY}; exec \"$@\"")).arg("sh").args(around);
    command.arg(host).args(arguments).current_dir(folder).stdin(Stdio::null()).process_group(0);
    command.env_remove("THAW_LOG").env("OMP_NUM_THREADS", "1").env("CUDA_VISIBLE_DEVICES", "");
    command.env("THAW_PLUGIN_PATH", built).env("THAW_CACHE", folder.join(CACHE));
    let file =
        |name: &str| File::create(folder.join(name)).map_err(|error| Fault::new(format!("{name}: {error}")));
    command.stdout(file(OUTPUT[0])?).stderr(file(OUTPUT[1])?);
    let child = command.spawn().map_err(|error| Fault::new(format!("{shown} cannot be started: {error}")))?;
    Ok(Started { shown, folder: folder.to_path_buf(), child })
}

/// Where cargo put this program, and `host` and the plugins beside it.
fn built() -> Result<PathBuf, Fault> {
    let program = std::env::current_exe().map_err(|error| Fault::new(error.to_string()))?;
    program.parent().map(Path::to_path_buf).ok_or_else(|| Fault::new("this program lies in no folder"))
}

/// Runs `host` to its end.
pub fn run(folder: &Path, arguments: &[&str]) -> Result<Ended, Fault> {
    start(folder, &[], arguments)?.finish()
}

impl Started {
    /// Ends it, with all that it started.
    pub fn kill(mut self) {
        self.kill_group();
        let _ = self.child.wait();
    }

    fn kill_group(&self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// It is still running after the time that it may take.
    pub fn finish(mut self) -> Result<Ended, Fault> {
        let started = Instant::now();
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if started.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => {
                    self.kill_group();
                    let _ = self.child.wait();
                    let what = format!("hangs: still running after {} s", LIMIT.as_secs());
                    return Err(Fault { what, command: self.shown });
                }
            }
        };
        let read = |name: &str| {
            std::fs::read(self.folder.join(name))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                .unwrap_or_default()
        };
        Ok(Ended { status, stdout: read(OUTPUT[0]), stderr: read(OUTPUT[1]), shown: self.shown })
    }
}

impl Ended {
    /// Whether it ended with 0.
    pub fn succeeded(&self) -> bool {
        self.status.success()
    }

    /// Whether it, or what it was started by, ended by SIGKILL: what an attack does.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(Signal::KILL.as_raw())
            || self.status.code() == Some(128 + Signal::KILL.as_raw())
    }

    /// Expects an end that the program documents.
    ///
    /// # Errors
    /// A signal, a panic, a pickle that ran, another exit code.
    pub fn in_order(self) -> Result<Self, Fault> {
        let fault = |what: String| Err(Fault { what, command: self.shown.clone() });
        if let Some(signal) = self.status.signal() {
            return fault(format!("ended by signal {signal}: {}", self.last_words()));
        }
        if self.stderr.contains("panicked at") {
            return fault(format!("panicked: {}", self.last_words()));
        }
        if self.stdout.contains("pwned") || self.stderr.lines().any(|line| line == "pwned") {
            return fault("ran a pickle".to_owned());
        }
        match self.status.code() {
            Some(code) if DOCUMENTED.contains(&code) => Ok(self),
            code => fault(format!("exit code {code:?} is not documented: {}", self.last_words())),
        }
    }

    /// Expects, of one that did not succeed, a message.
    ///
    /// # Errors
    /// There is none.
    pub fn explained(self) -> Result<Self, Fault> {
        if self.succeeded() || self.stderr.contains("error: ") {
            return Ok(self);
        }
        Err(self.fault(&format!("{} and no error message", self.status)))
    }

    /// A fault of this command.
    pub fn fault(&self, what: &str) -> Fault {
        Fault { what: what.to_owned(), command: self.shown.clone() }
    }

    /// The end of what it said, on one line.
    pub fn last_words(&self) -> String {
        let lines: Vec<&str> = self.stderr.lines().filter(|line| !line.trim().is_empty()).collect();
        let text = lines[lines.len().saturating_sub(4)..].join(" | ");
        text.chars().take(600).collect()
    }
}
