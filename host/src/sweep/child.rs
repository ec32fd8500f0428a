//! A trial as a child process of this program.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use super::error::at;
use super::{Plan, SweepDir, SweepError, Trial};

/// How a trial begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// From its run config.
    Anew,
    /// From its last checkpoint.
    FromLast,
}

/// A trial that trains.
pub(super) struct Process {
    child: Child,
    /// Interrupts that it was sent.
    interrupts: usize,
}

impl Process {
    /// Starts `host fit`. What it prints goes to the trial's log, after what is there.
    pub(super) fn start(
        dir: &SweepDir,
        plan: &Plan,
        trial: &Trial,
        start: Start,
    ) -> Result<Self, SweepError> {
        let program = std::env::current_exe().map_err(at("host"))?;
        let log = dir.log(&trial.name);
        let output = OpenOptions::new().create(true).append(true).open(&log).map_err(at(&log))?;
        let errors = output.try_clone().map_err(at(&log))?;
        let mut command = Command::new(&program);
        command.args(&plan.options).arg("fit");
        match start {
            Start::Anew => {
                let set = plan.set.iter().cloned().chain(trial.set());
                command.arg(&plan.config).args(set.flat_map(|set| ["--set".to_owned(), set]));
                command.arg("--run-dir").arg(dir.run_dir(&trial.name));
            }
            Start::FromLast => drop(command.arg("--resume").arg(dir.run_dir(&trial.name))),
        }
        command.current_dir(&plan.folder).stdin(Stdio::null()).stdout(output).stderr(errors);
        on_its_own(&mut command);
        let child = command.spawn().map_err(at(program))?;
        Ok(Self { child, interrupts: 0 })
    }

    /// How it ended; none while it runs.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends as many interrupts as there were: the first one ends a run with a checkpoint.
    pub(super) fn interrupt(&mut self, times: usize) {
        while self.interrupts < times {
            self.interrupts += 1;
            #[cfg(unix)]
            if let Some(process) =
                i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw)
                && let Err(error) = rustix::process::kill_process(process, rustix::process::Signal::INT)
            {
                tracing::debug!("process {}: {error}", self.child.id());
            }
            #[cfg(not(unix))]
            if let Err(error) = self.child.kill() {
                tracing::debug!("process {}: {error}", self.child.id());
            }
        }
    }
}

/// A terminal's Ctrl-C is for the sweep, which passes it on once. Where the sweep is killed, the trial ends
/// with a checkpoint.
#[cfg(unix)]
fn on_its_own(command: &mut Command) {
    use std::os::unix::process::CommandExt as _;
    command.process_group(0);
    #[cfg(target_os = "linux")]
    {
        let sweep = rustix::process::getpid();
        // SAFETY: between fork and exec it makes two system calls, and takes no memory and no lock.
        unsafe {
            command.pre_exec(move || {
                rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::INT))?;
                // A sweep that was killed before that would never be heard of.
                let is_there = rustix::process::getppid() == Some(sweep);
                if is_there { Ok(()) } else { Err(io::Error::from(io::ErrorKind::Interrupted)) }
            });
        }
    }
}

#[cfg(not(unix))]
fn on_its_own(_: &mut Command) {}

/// The last error that a trial's log tells, in one line; where there is none, where the log is.
pub(super) fn error_in(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let error = text.lines().rev().find_map(|line| line.strip_prefix("error: "));
    error.map_or_else(|| format!("see {}", shown(log).display()), str::to_owned)
}

/// A path from the working directory on, where it lies there.
fn shown(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_path_buf()
}
