//! The run that is tortured, and what it comes to when nobody disturbs it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use thaw_tests::{Outcome, fixtures};

use crate::attack::Fault;
use crate::command::{self, Ended};

/// Resumes the run of a scene.
pub const RESUME: [&str; 4] = ["fit", "run.toml", "--resume", "run"];
/// Begins it.
pub const FIT: [&str; 4] = ["fit", "run.toml", "--run-dir", "run"];

/// Writes run config, model and data.
pub fn write(folder: &Path) -> Result<(), Fault> {
    let copy = |from: &str, to: &str| copied(&fixtures().join(from), &folder.join(to));
    copy("torture/run.toml", "run.toml")?;
    copy("torture/case.json", "case.json")?;
    copy("parity/bb_accumulate2_clip/data.safetensors", "data.safetensors")
}

/// Copies a file.
pub fn copied(from: &Path, to: &Path) -> Result<(), Fault> {
    fs::copy(from, to).map(drop).map_err(|error| Fault::new(format!("{}: {error}", from.display())))
}

/// A run that nobody disturbed.
pub struct Undisturbed {
    folder: TempDir,
    /// What it came to.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// The run to its end.
///
/// # Errors
/// It does not succeed.
pub fn undisturbed() -> Result<&'static Undisturbed, Fault> {
    static RUN: OnceLock<Result<Undisturbed, String>> = OnceLock::new();
    RUN.get_or_init(|| trained(&[])).as_ref().map_err(Fault::new)
}

/// The run after two of its three epochs, in a folder of its own.
///
/// # Errors
/// It does not succeed.
pub fn two_epochs() -> Result<&'static Path, Fault> {
    static RUN: OnceLock<Result<Undisturbed, String>> = OnceLock::new();
    let run = RUN.get_or_init(|| trained(&["--set", "trainer.max_epochs=2"]));
    run.as_ref().map(|run| run.folder.path()).map_err(Fault::new)
}

fn trained(more: &[&str]) -> Result<Undisturbed, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let text = |fault: Fault| fault.what;
    write(folder.path()).map_err(text)?;
    let started = Instant::now();
    let ended = command::run(folder.path(), &[&FIT[..], more].concat()).map_err(text)?;
    let took = started.elapsed();
    if !ended.succeeded() {
        return Err(format!("the run fails that nobody disturbs: {}", ended.last_words()));
    }
    let outcome = Outcome::read(&folder.path().join("run")).map_err(|error| error.to_string())?;
    Ok(Undisturbed { folder, outcome, took })
}

/// What of a run is compared.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// Weights, state and records.
    All,
    /// Weights and state: the program said that records could not be written.
    WithoutRecords,
}

/// Expects the run of a folder to have come to what it does undisturbed.
pub fn expect_outcome(folder: &Path, compared: Compared, ended: &Ended) -> Result<(), Fault> {
    let found = Outcome::read(&folder.join("run"))
        .map_err(|error| ended.fault(&format!("the run is done, and its files are not there: {error}")))?;
    let is_record = |name: &str| name.ends_with(".jsonl") || name == "state.json, records";
    let is_compared = |name: &str| compared == Compared::All || !is_record(name);
    match undisturbed()?.outcome.difference(&found, is_compared) {
        None => Ok(()),
        Some(difference) => Err(ended.fault(&format!("not the run that nobody disturbed: {difference}"))),
    }
}

/// Copies a folder, symbolic links as such.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_symlink() {
            symlink(fs::read_link(entry.path())?, target)?;
        } else if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
