//! Compares the program with recorded training runs: `parity [DIR]`, one line per case; exits with 1 if one
//! differs.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use thaw_tests::parity;

fn main() -> anyhow::Result<ExitCode> {
    let named = std::env::args_os().nth(1).or_else(|| std::env::var_os("THAW_PARITY_CASES"));
    let cases = named.map_or_else(|| thaw_tests::fixtures().join("parity"), PathBuf::from);
    let program = std::env::current_exe()?;
    let built = program.parent().context("the program lies in no folder")?;
    let report = parity::run(&cases, built, |line| println!("{line}"))?;
    println!("{report}");
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
