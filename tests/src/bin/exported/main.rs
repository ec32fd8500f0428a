//! `exported [DIR]`: exported programs (`.pt2`) in the built plugin against what PyTorch computed.
//!
//! Every pair `NAME.pt2`, `NAME.safetensors` of the folder is one line: outputs in both modes and of a single
//! sample, stages, gradients, buffers, a frozen part, steps of SGD. Behind `ok` stands the largest deviation
//! as a share of what is allowed; behind `FAILED` the first that is too large. Files in `odd` are built, or
//! refused where nothing could be made of them; of those in `hostile` only `good` and `nan_and_infinity` may
//! be built, and none may leave a file behind.
//!
//! Without DIR: `$THAW_EXPORTED_FIXTURES`, else `tests/fixtures/exported`. Further arguments choose by name.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use serde_json::json;
use thaw_plugins::{PluginSet, SearchPath};
use thaw_test_references::{Built, Exported, check_exported};

/// What has to come of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// All of the pair's numbers.
    Pair,
    /// A model, or a reason.
    Odd,
    /// A model.
    Sound,
    /// A reason.
    Hostile,
}

struct Case {
    file: PathBuf,
    kind: Kind,
}

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let named = args.next().or_else(|| std::env::var_os("THAW_EXPORTED_FIXTURES"));
    let folder = named.map_or_else(|| thaw_tests::fixtures().join("exported"), PathBuf::from);
    let wanted: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    match run(&folder, &wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("exported: {reason}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, wanted: &[String]) -> Result<bool, String> {
    let mut cases = cases(folder)?;
    cases.retain(|case| wanted.is_empty() || wanted.iter().any(|part| name(folder, case).contains(part)));
    if cases.is_empty() {
        return Err(format!("{} has no such programs (*.pt2)", folder.display()));
    }
    // As the references were made: threads sum in another order.
    thaw_plugin_api::tch::set_num_threads(1);
    let plugins = PluginSet::load(["torch_export"], &SearchPath::of_process(&[]), Path::new(""));
    let plugins = plugins.map_err(|error| error.to_string())?;
    let (mut passed, mut failed) = (0, 0);
    for case in &cases {
        let started = Instant::now();
        let outcome = check(&plugins, case);
        let (name, seconds) = (name(folder, case), started.elapsed().as_secs_f64());
        match outcome {
            Ok(text) => {
                passed += 1;
                println!("ok       {name:32} {text} ({seconds:.1} s)");
            }
            Err(difference) => {
                failed += 1;
                println!("FAILED   {name:32} {difference}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0)
}

fn name(folder: &Path, case: &Case) -> String {
    let relative = case.file.strip_prefix(folder).unwrap_or(&case.file);
    relative.with_extension("").display().to_string()
}

fn cases(folder: &Path) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    for file in programs(folder)? {
        let has_reference = file.with_extension("safetensors").is_file();
        cases.push(Case { file, kind: if has_reference { Kind::Pair } else { Kind::Odd } });
    }
    for file in programs(&folder.join("odd"))? {
        cases.push(Case { file, kind: Kind::Odd });
    }
    for file in programs(&folder.join("hostile"))? {
        let stem = file.file_stem().unwrap_or_default();
        let is_sound = stem == "good" || stem == "nan_and_infinity";
        cases.push(Case { file, kind: if is_sound { Kind::Sound } else { Kind::Hostile } });
    }
    Ok(cases)
}

/// The `.pt2` of a folder by name; none where there is no folder.
fn programs(folder: &Path) -> Result<Vec<PathBuf>, String> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "pt2") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn check(plugins: &PluginSet, case: &Case) -> Result<String, String> {
    let build = || {
        let config = json!({ "path": case.file });
        let (raw, _) = plugins.create_model("torch-export", &config).map_err(|error| error.to_string())?;
        Built::from_raw(raw)
    };
    match (case.kind, build()) {
        (Kind::Pair, Ok(_)) => {
            let reference = Exported::read(&case.file.with_extension("safetensors"))?;
            let deviation = check_exported(&reference, build)?;
            Ok(format!("all {:.3}", deviation.share()))
        }
        (Kind::Odd | Kind::Sound, Ok(built)) => Ok(format!("{} stages", built.stages().len())),
        (Kind::Odd | Kind::Hostile, Err(reason)) if is_told(&reason, &case.file) => {
            Ok(format!("refused: {}", short(&reason)))
        }
        (Kind::Hostile, Ok(_)) => Err("it was accepted".to_owned()),
        (_, Err(reason)) => Err(short(&reason)),
    }
}

/// Whether a refusal names the file.
fn is_told(reason: &str, file: &Path) -> bool {
    file.file_name().is_some_and(|name| reason.contains(&*name.to_string_lossy()))
}

/// The first line, without the folder.
fn short(reason: &str) -> String {
    let line = reason.lines().next().unwrap_or_default();
    line.rsplit_once(".pt2: ").map_or(line, |(_, line)| line).to_owned()
}
