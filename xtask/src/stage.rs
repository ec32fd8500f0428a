//! Stages of a command: a heading before, the time after, on standard error (standard output is for results).

use std::time::Instant;

use anyhow::Result;

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

    /// An error that lists every stage that failed.
    pub fn finish(self) -> Result<()> {
        match self.failures.as_slice() {
            [] => Ok(()),
            failures => anyhow::bail!("{} failed:\n  {}", failures.len(), failures.join("\n  ")),
        }
    }
}
