//! Compares the program with recorded training runs: `parity [DIR]`, one line per case; exits with 1 if one
//! differs. `--device cuda` runs them on a GPU, with full precision in products and convolutions; what is
//! allowed is then `--allow` times as much as was recorded for the CPU.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use thaw_tests::{On, parity};

fn main() -> anyhow::Result<ExitCode> {
    let on = On::read().map_err(anyhow::Error::msg)?;
    let named = on.rest.first().cloned().or_else(|| std::env::var_os("THAW_PARITY_CASES"));
    let cases = named.map_or_else(|| thaw_tests::fixtures().join("parity"), PathBuf::from);
    let program = std::env::current_exe()?;
    let built = program.parent().context("the program lies in no folder")?;
    let report = parity::run(&cases, built, &on, |line| println!("{line}"))?;
    println!("{report}");
    Ok(if report.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
