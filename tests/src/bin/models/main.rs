//! `models [DIR]`: the models of the built plugins against what PyTorch computed.
//!
//! Every `arch/*.json` of the folder is one line: names, modules, outputs, stages, training steps. Behind `ok` stands the
//! largest deviation as a share of what is allowed; behind `FAILED` the first that is too large. References that are
//! made with real weights need the file: it is looked for in `$THAW_WEIGHTS` and `weights`, and skipped where it is not.
//!
//! Without DIR: `$THAW_MODEL_FIXTURES`, else `tests/fixtures/models`. Further arguments choose by name: `models DIR resnet`.

mod catalog;
mod check;
mod weights;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use check::Verdict;
use thaw_host::plugins::SearchPath;
use thaw_test_references::Reference;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let named = args.next().or_else(|| std::env::var_os("THAW_MODEL_FIXTURES"));
    let folder = named.map_or_else(|| thaw_tests::fixtures().join("models"), PathBuf::from);
    let wanted: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    match run(&folder, &wanted) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("models: {reason}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, wanted: &[String]) -> Result<bool, String> {
    let files = references(folder, wanted)?;
    // As the references were made. Batch norm over eight values amplifies the rounding of a sum that threads split.
    thaw_plugin_api::tch::set_num_threads(1);
    let search = SearchPath::of_process(&[]);
    let mut counts = [0; 3];
    for file in &files {
        let started = Instant::now();
        let verdict = Reference::open(file).and_then(|reference| check::run(&reference, &search));
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let seconds = started.elapsed().as_secs_f64();
        match verdict {
            Ok(Verdict::Passed(deviations)) => {
                counts[0] += 1;
                println!("ok       {name:32} {deviations} ({seconds:.1} s)");
            }
            Ok(Verdict::Skipped(reason)) => {
                counts[1] += 1;
                println!("skipped  {name:32} {reason}");
            }
            Err(difference) => {
                counts[2] += 1;
                println!("FAILED   {name:32} {difference}");
            }
        }
    }
    let [passed, skipped, failed] = counts;
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    Ok(failed == 0)
}

/// The reference files, by name. A folder without `arch` is taken for `arch` itself.
fn references(folder: &Path, wanted: &[String]) -> Result<Vec<PathBuf>, String> {
    let arch = folder.join("arch");
    let folder = if arch.is_dir() { arch } else { folder.to_path_buf() };
    let unreadable = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let is_wanted = wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
        if is_wanted && path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(format!("{} has no such references (*.json)", folder.display()));
    }
    Ok(files)
}
