//! The program against recorded training runs.
//!
//! A folder of cases has one folder per case (`case.json` says what was trained, `trace.json` what came of
//! it) and perhaps `schedulers.json`. Each is turned into run configs, the program runs them with its
//! plugins, and what it wrote is compared with what was recorded.

mod compare;
mod config;
mod filter_calls;
mod functions;
mod joined;
mod keys;
mod program;
mod schedulers;
mod spelling;
mod training;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use compare::Comparison;
use program::Program;
use schedulers::Schedulers;
use serde_json::Value;

use crate::On;

/// How many cases agree.
#[derive(Clone, Copy, Debug, Default)]
pub struct Report {
    /// Cases that agree.
    pub passed: usize,
    /// Cases that differ, or could not be run.
    pub failed: usize,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// Runs every case of a folder with the program and the plugins in `built`; `tell` gets a line per case. Each
/// case's own tolerances hold on the CPU.
///
/// # Errors
/// The folder cannot be read, or has no case.
pub fn run(cases: &Path, built: &Path, on: &On, mut tell: impl FnMut(String)) -> Result<Report> {
    // The program runs in other folders than this one.
    let cases = &std::path::absolute(cases)?;
    let program = Program::new(built, on)?;
    let mut report = Report::default();
    let mut count = |name: &str, result: Result<Comparison>| {
        let line = match result {
            Ok(comparison) => match comparison.first_difference() {
                None => {
                    report.passed += 1;
                    format!("ok    {name:<52} {comparison}")
                }
                Some(difference) => {
                    report.failed += 1;
                    format!("FAIL  {name:<52} {difference}")
                }
            },
            Err(error) => {
                report.failed += 1;
                format!("FAIL  {name:<52} {error:#}")
            }
        };
        tell(line);
    };
    let mut found = false;
    for folder in folders(cases)? {
        found = true;
        let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        count(&name, case(&program, &folder));
    }
    let schedulers = cases.join("schedulers.json");
    if schedulers.is_file() {
        found = true;
        let recorded = Schedulers::of(read_json(&schedulers)?)?;
        for entry in recorded.entries() {
            let name = entry["name"].as_str().unwrap_or("scheduler");
            count(name, recorded.run(&program, entry, None));
            count(&format!("{name}, added group"), recorded.run(&program, entry, Some(schedulers::ADDED_AT)));
        }
    }
    ensure!(
        found,
        "{}: expected folders with a case.json, or schedulers.json; found neither",
        cases.display()
    );
    Ok(report)
}

fn case(program: &Program, folder: &Path) -> Result<Comparison> {
    let case = read_json(&folder.join("case.json"))?;
    match case["kind"].as_str() {
        Some("training") => training::run(program, folder, &case),
        Some("functions") => functions::run(program, folder, &case),
        other => anyhow::bail!("case.json: `kind` is {other:?}, expected training or functions"),
    }
}

/// Folders with a `case.json`, by name.
fn folders(cases: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(cases).with_context(|| format!("{} cannot be read", cases.display()))?;
    let mut folders = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    folders.retain(|folder| folder.join("case.json").is_file());
    folders.sort();
    Ok(folders)
}

/// A list; nothing where there is none.
fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn read_json(path: &Path) -> Result<Value> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
}

fn read_records(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    text.lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("{}: {line}", path.display())))
        .collect()
}
