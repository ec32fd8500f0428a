//! `ddp`: what a step costs in two processes over one.
//!
//! The perceptron of `loop`, with batches of two a process: next to nothing is computed, so that what is left
//! is what processes say to each other at each batch, and the sum of the gradients.

use std::process::Command;

use super::Bench;
use crate::workspace::{Profile, Workspace};

pub struct Processes;

/// Steps of one measurement.
const STEPS: u32 = 4_000;

impl Bench for Processes {
    fn name(&self) -> &'static str {
        "ddp"
    }

    fn unit(&self) -> &'static str {
        "us/step"
    }

    fn variants(&self) -> &'static [&'static str] {
        &["one", "two"]
    }

    fn program(&self, workspace: &Workspace, variant: &str) -> Command {
        let mut program = workspace.program(Profile::Release, "bench-loop");
        program.args([if variant == "one" { "host" } else { "two" }, &STEPS.to_string()]);
        program
    }
}
