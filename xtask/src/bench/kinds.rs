//! What is measured.

use std::process::Command;

use super::{Machine, lightning};

/// One benchmark.
pub struct Bench {
    /// The name on the command line.
    pub name: &'static str,
    /// What is compared. The others are set against the first.
    pub variants: &'static [&'static str],
    /// What a program gives numbers of, not every variant all of them.
    pub measures: &'static [Measure],
}

/// One number of a benchmark.
pub struct Measure {
    /// The name in a program's output.
    pub name: &'static str,
    pub unit: &'static str,
    /// What it is, in the table.
    pub what: &'static str,
    pub better: Better,
}

/// Which numbers are good.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Better {
    Less,
    More,
}

/// Steps of one measurement of the loop.
const STEPS: &str = "20000";

/// The same of several processes.
const STEPS_OF_PROCESSES: &str = "4000";

const fn less(name: &'static str, unit: &'static str, what: &'static str) -> Measure {
    Measure { name, unit, what, better: Better::Less }
}

const fn more(name: &'static str, unit: &'static str, what: &'static str) -> Measure {
    Measure { name, unit, what, better: Better::More }
}

const THAW_AND_LIGHTNING: &[&str] = &["thaw", lightning::VARIANT];

/// Every benchmark.
///
/// `loop` trains a perceptron 32 → 32 → 2 with batches of two and Adam; `bare` is forward, loss, backward and
/// optimizer step, nothing else. `ddp` trains it in one process and in two, which say much to each other for
/// the little that they compute. The others train a ResNet-18 at 128 pixels on 256 JPEG files of 500 x 375,
/// or read such files.
pub const BENCHES: [Bench; 7] = [
    Bench {
        name: "loop",
        variants: &["bare", "host", lightning::VARIANT],
        measures: &[less("step", "us", "a step of a tiny perceptron")],
    },
    Bench {
        name: "ddp",
        variants: &["one", "two"],
        measures: &[less("step", "us", "a step of it in several processes")],
    },
    Bench {
        name: "frozen",
        variants: THAW_AND_LIGHTNING,
        measures: &[
            less("fill", "s", "frozen stages, computed once"),
            less("cached", "s", "an epoch that starts from them"),
            less("uncached", "s", "a frozen epoch without the cache"),
        ],
    },
    Bench {
        name: "thawed",
        variants: THAW_AND_LIGHTNING,
        measures: &[
            less("epoch", "s", "an epoch in which everything trains"),
            less("memory", "MiB", "most memory of the process meanwhile"),
        ],
    },
    Bench {
        name: "data",
        variants: THAW_AND_LIGHTNING,
        measures: &[
            more("png", "1/s", "PNG files read"),
            more("png_augmented", "1/s", "PNG files read, augmented"),
            more("jpeg", "1/s", "JPEG files read"),
            more("jpeg_augmented", "1/s", "JPEG files read, augmented"),
        ],
    },
    Bench {
        name: "start",
        variants: THAW_AND_LIGHTNING,
        measures: &[less("one_step_run", "ms", "from the program's start to the end of one step")],
    },
    Bench {
        name: "checkpoint",
        variants: THAW_AND_LIGHTNING,
        measures: &[
            more("write", "MB/s", "a checkpoint, to the disk"),
            more("copy", "MB/s", "a copy of its files, to the disk"),
            less("stall", "ms", "how long training waits for it"),
        ],
    },
];

impl Bench {
    /// The program that measures a variant once.
    pub(super) fn program(&self, machine: &Machine<'_>, variant: &str) -> Command {
        if let (Some(python), lightning::VARIANT) = (&machine.python, variant) {
            let mut program = Command::new(python);
            program.arg(machine.workspace.path("xtask/bench/measures.py")).arg(self.name);
            program.arg(&machine.pictures);
            return program;
        }
        if self.name == "loop" {
            let mut program = machine.workspace.program(machine.profile, "bench-loop");
            program.args([variant, STEPS]);
            return program;
        }
        if self.name == "ddp" {
            let mut program = machine.workspace.program(machine.profile, "bench-loop");
            program.args([if variant == "one" { "host" } else { "two" }, STEPS_OF_PROCESSES]);
            return program;
        }
        let mut program = machine.workspace.program(machine.profile, "bench-run");
        program.arg(self.name).arg(&machine.pictures);
        program
    }
}
