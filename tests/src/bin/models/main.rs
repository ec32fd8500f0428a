//! `models [DIR]`: the models of the built plugins against what PyTorch computed.
//!
//! Every `arch/*.json` of the folder is one line: names, modules, outputs, stages, training steps, losses
//! under AdamW. Behind `ok` stands the largest deviation as a share of what is allowed; behind `FAILED` the
//! first that is too large. References that are made with real weights need the file: it is looked for in
//! `$THAW_WEIGHTS` and `weights`, and skipped where it is not; with `$THAW_REQUIRE_WEIGHTS` set, that fails.
//! A line each are also every TorchScript file that `files/torchscript.json` records, with five steps of
//! training, and every weight file that `files/expected.json` says is to be read, with its values, or to be
//! refused.
//!
//! Without DIR: `$THAW_MODEL_FIXTURES`, else `tests/fixtures/models`. Further arguments choose by name:
//! `models DIR resnet`. `--device cuda` compares on a GPU, with full precision in products and convolutions;
//! what is allowed is then `--allow` times as much as was recorded for the CPU.

mod cases;
mod check;
mod files;
mod finetuning;
mod weights;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use check::Verdict;
use thaw_plugin_api::tch::Device;
use thaw_plugins::SearchPath;
use thaw_tests::On;

/// Set where a reference must not be skipped for want of its weights.
const REQUIRE_WEIGHTS: &str = "THAW_REQUIRE_WEIGHTS";

fn main() -> ExitCode {
    let On { device, allow, rest } = match On::read() {
        Ok(on) => on,
        Err(reason) => {
            eprintln!("models: {reason}");
            return ExitCode::from(2);
        }
    };
    thaw_test_references::allow(allow);
    let mut args = rest.into_iter();
    let named = args.next().or_else(|| std::env::var_os("THAW_MODEL_FIXTURES"));
    let folder = named.map_or_else(|| thaw_tests::fixtures().join("models"), PathBuf::from);
    let wanted: Vec<String> = args.map(|arg| arg.to_string_lossy().into_owned()).collect();
    match run(&folder, &wanted, device) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("models: {reason}");
            ExitCode::from(2)
        }
    }
}

fn run(folder: &Path, wanted: &[String], device: Device) -> Result<bool, String> {
    let cases = cases::find(folder, wanted)?;
    // As the references were made. Batch norm over eight values amplifies the rounding of a sum that threads
    // split.
    thaw_plugin_api::tch::set_num_threads(1);
    let search = SearchPath::of_process(&[]);
    let mut counts = [0; 3];
    for case in &cases {
        let started = Instant::now();
        let verdict = case.run(&search, device);
        let name = case.name();
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
    let may_skip = std::env::var_os(REQUIRE_WEIGHTS).is_none();
    if skipped > 0 && !may_skip {
        println!("{REQUIRE_WEIGHTS} is set: what was skipped has failed");
    }
    Ok(failed == 0 && (skipped == 0 || may_skip))
}
