//! Stages of a command: a heading before, the time after, on standard error (standard output is for results).

use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::workspace::show;

/// Runs one stage and says how long it took.
pub fn stage<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let started = Instant::now();
    eprintln!("==> {name}");
    let result = work();
    let outcome = if result.is_ok() { "done" } else { "FAILED" };
    eprintln!("<== {name}: {outcome} in {:.1} s", started.elapsed().as_secs_f64());
    result
}

/// Stages that are all run, whatever fails, and then reported together.
#[derive(Default)]
pub struct Stages {
    failures: Vec<String>,
}

impl Stages {
    /// Runs one stage and remembers its failure.
    pub fn run(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        if let Err(error) = stage(name, work) {
            eprintln!("error: {error:#}");
            self.failures.push(format!("{name}: {error:#}"));
        }
    }

    /// Runs commands two at a time and remembers failures. What one prints is shown when it has ended.
    pub fn run_side_by_side(&mut self, commands: Vec<(String, Command)>) {
        let waiting = Mutex::new(commands.into_iter());
        let next = || waiting.lock().ok()?.next();
        let run = |failures: &Mutex<&mut Vec<String>>| {
            while let Some((name, mut command)) = next() {
                let started = Instant::now();
                let failure = shown(&mut command).err();
                let outcome = if failure.is_none() { "done" } else { "FAILED" };
                eprintln!("<== {name}: {outcome} in {:.1} s", started.elapsed().as_secs_f64());
                if let (Some(error), Ok(mut failures)) = (failure, failures.lock()) {
                    eprintln!("error: {error:#}");
                    failures.push(format!("{name}: {error:#}"));
                }
            }
        };
        let failures = Mutex::new(&mut self.failures);
        thread::scope(|scope| {
            scope.spawn(|| run(&failures));
            run(&failures);
        });
    }

    /// An error that lists every stage that failed.
    pub fn finish(self) -> Result<()> {
        match self.failures.as_slice() {
            [] => Ok(()),
            failures => bail!("{} failed:\n  {}", failures.len(), failures.join("\n  ")),
        }
    }
}

/// Runs a command, shows what it printed, and fails as it fails.
fn shown(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {}", show(command)))?;
    eprint!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if !output.status.success() {
        bail!("{} failed ({})", show(command), output.status);
    }
    Ok(())
}
