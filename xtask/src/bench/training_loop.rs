//! `loop`: what the program's training loop costs over a bare one with the same kernels.
//!
//! 20,000 steps of a perceptron 32 → 32 → 2 with batches of two and Adam. `bare` is forward, loss, backward
//! and optimizer step, nothing else; `host` is the program with a strategy from a plugin, logging and
//! progress.

use std::process::Command;

use super::Bench;
use crate::workspace::{Profile, Workspace};

pub struct TrainingLoop;

/// Steps of one measurement.
const STEPS: u32 = 20_000;

impl Bench for TrainingLoop {
    fn name(&self) -> &'static str {
        "loop"
    }

    fn unit(&self) -> &'static str {
        "us/step"
    }

    fn variants(&self) -> &'static [&'static str] {
        &["bare", "host"]
    }

    fn program(&self, workspace: &Workspace, variant: &str) -> Command {
        let mut program = workspace.program(Profile::Release, "bench-loop");
        program.args([variant, &STEPS.to_string()]);
        program
    }
}
