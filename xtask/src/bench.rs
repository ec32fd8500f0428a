//! `cargo xtask bench [NAME…]`: measures with repeats, prints medians as JSON lines, and a table.
//!
//! A benchmark compares *variants* of the same work. Each is measured by a program of its own, started anew
//! for every repeat; the variants take turns, so that a slow moment of the machine meets all of them.
//!
//! Lines on standard output: per variant and measure `bench`, `variant`, `measure`, `unit`, `median`, `min`,
//! `max`, `repeats`; then, for every variant after the first, `over` (the first) and `ratio` (of the
//! medians). The table goes to standard error.

mod kinds;
mod lightning;
mod pictures;
mod summary;
mod table;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context as _, Result, bail};
use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use crate::stage::stage;
use crate::workspace::{Profile, Workspace, show};
use kinds::{BENCHES, Bench};
use summary::{Key, Summary};

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(BENCHES.map(|bench| bench.name))
}

#[derive(clap::Args)]
pub struct Args {
    /// Which benchmarks [default: all]
    #[arg(value_parser = names())]
    names: Vec<String>,
    /// How often each variant is measured
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// How often each variant runs before that, unmeasured
    #[arg(long, default_value_t = 0)]
    warm_up: u32,
    /// Measures PyTorch Lightning at the same work, in turns, and prints ratios
    #[arg(long)]
    lightning: bool,
    /// A Python that has the packages of xtask/bench/requirements.txt [default: one in target/bench, which
    /// gets them: a download of some 3 GB, once]
    #[arg(long, value_name = "FILE", requires = "lightning")]
    python: Option<PathBuf>,
    /// Builds without optimisation: to see that the benchmarks run, not what they measure
    #[arg(long)]
    dev: bool,
}

/// What programs are started with.
struct Machine<'w> {
    workspace: &'w Workspace,
    profile: Profile,
    pictures: PathBuf,
    python: Option<PathBuf>,
}

/// Builds the workspace and measures.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let profile = if args.dev { Profile::Dev } else { Profile::Release };
    let folder = workspace.target().join("bench");
    let python = lightning::python(workspace, &folder, args)?;
    stage("Building the workspace", || workspace.build_all(profile))?;
    let pictures = folder.join("pictures");
    pictures::make(&pictures)?;
    let machine = Machine { workspace, profile, pictures, python };
    let is_chosen =
        |bench: &&Bench| args.names.is_empty() || args.names.iter().any(|name| name == bench.name);
    let mut summaries = BTreeMap::new();
    for bench in BENCHES.iter().filter(is_chosen) {
        measure_all(bench, &machine, args, &mut summaries)?;
    }
    eprintln!("\n{}", table::table(&summaries));
    Ok(ExitCode::SUCCESS)
}

/// Measures the variants of a benchmark in turns, and prints what came of it.
fn measure_all(
    bench: &'static Bench,
    machine: &Machine<'_>,
    args: &Args,
    summaries: &mut BTreeMap<Key, Summary>,
) -> Result<()> {
    let is_there = |variant: &&&str| **variant != lightning::VARIANT || machine.python.is_some();
    let variants: Vec<&'static str> = bench.variants.iter().filter(is_there).copied().collect();
    let mut samples: BTreeMap<Key, Vec<f64>> = BTreeMap::new();
    for round in 0..args.warm_up + args.repeats {
        for &variant in &variants {
            let numbers = measure(&mut bench.program(machine, variant), bench.measures[0].name)?;
            for measure in bench.measures {
                let Some(value) = numbers.get(measure.name) else { continue };
                let is_warm = round >= args.warm_up;
                let what = if is_warm { "measured" } else { "warm-up" };
                eprintln!("{} {variant}: {what} {} {value:.3} {}", bench.name, measure.name, measure.unit);
                if is_warm {
                    samples.entry((bench.name, measure.name, variant)).or_default().push(*value);
                }
            }
        }
    }
    let found: BTreeMap<Key, Summary> =
        samples.into_iter().filter_map(|(key, values)| Some((key, Summary::of(values)?))).collect();
    report(bench, &variants, &found);
    summaries.extend(found);
    Ok(())
}

fn report(bench: &Bench, variants: &[&'static str], found: &BTreeMap<Key, Summary>) {
    for measure in bench.measures {
        let of = |variant| found.get(&(bench.name, measure.name, variant));
        let there: Vec<_> = variants.iter().filter_map(|variant| Some((*variant, of(*variant)?))).collect();
        for (variant, summary) in &there {
            println!(
                "{}",
                json!({
                    "bench": bench.name, "variant": variant, "measure": measure.name,
                    "unit": measure.unit, "median": summary.median, "min": summary.min,
                    "max": summary.max, "repeats": summary.repeats,
                })
            );
        }
        let Some((first, over)) = there.first() else { continue };
        for (variant, summary) in &there[1..] {
            println!(
                "{}",
                json!({
                    "bench": bench.name, "variant": variant, "measure": measure.name, "over": first,
                    "ratio": summary.median / over.median,
                })
            );
        }
    }
}

/// Runs a program and reads the last line that it printed: a number, of the measure that is named, or an
/// object of several.
fn measure(program: &mut Command, only: &str) -> Result<BTreeMap<String, f64>> {
    let output =
        program.stderr(Stdio::piped()).output().with_context(|| format!("cannot run {}", show(program)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}):\n{said}", show(program), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.trim_end().lines().last().unwrap_or_default().trim();
    let numbers: Option<BTreeMap<String, f64>> = match serde_json::from_str(line) {
        Ok(Value::Number(number)) => number.as_f64().map(|number| [(only.to_owned(), number)].into()),
        Ok(Value::Object(object)) => {
            object.into_iter().map(|(name, value)| Some((name, value.as_f64()?))).collect()
        }
        _ => None,
    };
    match numbers {
        Some(numbers) if !numbers.is_empty() => Ok(numbers),
        _ => bail!("{} printed `{line}` at its end, expected a number or an object of them", show(program)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_a_number_or_several() {
        let numbers = |script: &str| measure(Command::new("sh").args(["-c", script]), "step");
        assert_eq!(numbers("echo noise; echo ' 12.5 '").unwrap(), [("step".to_owned(), 12.5)].into());
        let two = numbers("echo '{\"a\": 1, \"b\": 2.5}'").unwrap();
        assert_eq!(two, [("a".to_owned(), 1.0), ("b".to_owned(), 2.5)].into());
    }

    #[test]
    fn a_program_that_fails_or_prints_no_number_is_named() {
        let text =
            |script: &str| measure(Command::new("sh").args(["-c", script]), "step").unwrap_err().to_string();
        let failed = text("echo why >&2; exit 3");
        assert!(failed.contains("exit 3` failed") && failed.contains("why"), "{failed}");
        assert!(text("echo fast").contains("printed `fast`"));
        assert!(text("echo '{\"a\": null}'").contains("expected a number"));
    }
}
