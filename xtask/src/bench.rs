//! `cargo xtask bench [NAME]`: measures with warm-up and repeats, prints medians as JSON lines.
//!
//! A benchmark compares *variants* of the same work. Each is measured by a program of its own, started anew
//! for every repeat; the variants take turns, so that a slow moment of the machine meets all of them.
//!
//! Lines on standard output: per variant `bench`, `variant`, `unit`, `median`, `min`, `max`, `repeats`; then,
//! for every variant after the first, `over` (the first) and `ratio` (of the medians).

mod processes;
mod training_loop;

use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use clap::builder::PossibleValuesParser;
use serde_json::json;

use crate::stage::stage;
use crate::workspace::{Profile, Workspace, show};

/// One benchmark. A file of this folder implements it; [`BENCHES`] lists it.
pub trait Bench: Sync {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    /// What the numbers are, such as `us/step`. Lower is better.
    fn unit(&self) -> &'static str;

    /// What is compared. The others are set against the first.
    fn variants(&self) -> &'static [&'static str];

    /// The program that measures a variant once: the last line of its standard output is the number.
    fn program(&self, workspace: &Workspace, variant: &str) -> Command;
}

/// Every benchmark, the default first.
const BENCHES: [&dyn Bench; 2] = [&training_loop::TrainingLoop, &processes::Processes];

fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(BENCHES.map(|bench| bench.name()))
}

#[derive(clap::Args)]
pub struct Args {
    /// Which benchmark
    #[arg(default_value = BENCHES[0].name(), value_parser = names())]
    name: String,
    /// How often each variant is measured
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..))]
    repeats: u32,
    /// How often each variant runs before that, unmeasured
    #[arg(long, default_value_t = 1)]
    warm_up: u32,
}

/// Builds the workspace in release and measures.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    let bench = BENCHES
        .into_iter()
        .find(|bench| bench.name() == args.name)
        .with_context(|| format!("there is no benchmark `{}`", args.name))?;
    stage("Building the workspace in release", || workspace.build_all(Profile::Release))?;
    let mut samples: Vec<Vec<f64>> = vec![Vec::new(); bench.variants().len()];
    for round in 0..args.warm_up + args.repeats {
        for (variant, samples) in bench.variants().iter().zip(&mut samples) {
            let value = measure(&mut bench.program(workspace, variant))?;
            let warm = round >= args.warm_up;
            let what = if warm { "measured" } else { "warm-up" };
            eprintln!("{} {variant}: {what} {value:.3} {}", bench.name(), bench.unit());
            if warm {
                samples.push(value);
            }
        }
    }
    report(bench, samples);
    Ok(ExitCode::SUCCESS)
}

fn report(bench: &dyn Bench, samples: Vec<Vec<f64>>) {
    let summaries: Vec<_> = samples.into_iter().filter_map(Summary::of).collect();
    for (variant, summary) in bench.variants().iter().zip(&summaries) {
        println!(
            "{}",
            json!({
                "bench": bench.name(), "variant": variant, "unit": bench.unit(), "median": summary.median,
                "min": summary.min, "max": summary.max, "repeats": summary.repeats,
            })
        );
    }
    let Some(first) = summaries.first() else {
        return;
    };
    for (variant, summary) in bench.variants().iter().zip(&summaries).skip(1) {
        println!(
            "{}",
            json!({
                "bench": bench.name(), "variant": variant, "over": bench.variants()[0],
                "ratio": summary.median / first.median,
            })
        );
    }
}

/// Runs a program and reads the last line that it printed as a number.
fn measure(program: &mut Command) -> Result<f64> {
    let output =
        program.stderr(Stdio::inherit()).output().with_context(|| format!("cannot run {}", show(program)))?;
    if !output.status.success() {
        bail!("{} failed ({})", show(program), output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.trim_end().lines().last().unwrap_or_default();
    match line.trim().parse() {
        Ok(value) if f64::is_finite(value) => Ok(value),
        _ => bail!("{} printed `{line}` at its end, expected a number", show(program)),
    }
}

/// The values of one variant in short.
#[derive(Debug, PartialEq)]
struct Summary {
    median: f64,
    min: f64,
    max: f64,
    repeats: usize,
}

impl Summary {
    /// Nothing for no values. The median of an even number of values is the mean of the middle two.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let repeats = values.len();
        let median = (values[(repeats - 1) / 2] + values[repeats / 2]) / 2.0;
        Some(Self { median, min, max, repeats })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_lies_in_the_middle() {
        let odd = Summary::of(vec![9.0, 1.0, 2.0]).unwrap();
        assert_eq!(odd, Summary { median: 2.0, min: 1.0, max: 9.0, repeats: 3 });
        assert_eq!(Summary::of(vec![4.0, 1.0, 2.0, 9.0]).unwrap().median, 3.0);
        assert_eq!(Summary::of(vec![]), None);
    }

    #[test]
    fn the_last_line_is_the_number() {
        assert_eq!(measure(Command::new("sh").args(["-c", "echo noise; echo ' 12.5 '"])).unwrap(), 12.5);
    }

    #[test]
    fn a_program_that_fails_or_prints_no_number_is_named() {
        let text = measure(Command::new("sh").args(["-c", "exit 3"])).unwrap_err().to_string();
        assert!(text.contains("`sh -c exit 3` failed"), "{text}");
        let text = measure(Command::new("sh").args(["-c", "echo fast"])).unwrap_err().to_string();
        assert!(text.contains("printed `fast`"), "{text}");
    }
}
