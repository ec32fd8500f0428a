//! Runs that are killed, then resumed.

use std::path::Path;
use std::thread::sleep;

use fastrand::Rng;

use crate::attack::{Attack, Fault};
use crate::scene::{self, Compared, FIT, RESUME};
use crate::{command, strace};

/// SIGKILL at any moment, up to three times.
pub struct AtAnyMoment;

impl Attack for AtAnyMoment {
    fn name(&self) -> &'static str {
        "kill"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let took = scene::undisturbed()?.took;
        for _ in 0..random.u32(1..=3) {
            let run = command::start(folder, &[], next(folder))?;
            sleep(took.mul_f64(random.f64()));
            run.kill();
        }
        go_on(folder, Compared::All)
    }
}

/// SIGKILL at a system call that changes files.
pub struct AtACall;

/// Calls that change files, and how many of each a run makes at least.
const CALLS: [(&str, u32); 10] = [
    ("write", 20),
    ("fsync", 30),
    ("fdatasync", 6),
    ("rename,renameat,renameat2", 22),
    ("unlink,unlinkat", 10),
    ("mkdir,mkdirat", 8),
    ("symlink,symlinkat", 6),
    ("link,linkat", 3),
    ("openat", 300),
    ("close", 70),
];

impl Attack for AtACall {
    fn name(&self) -> &'static str {
        "kill-at-call"
    }

    fn missing(&self) -> Option<String> {
        strace::missing()
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let (call, calls) = CALLS[random.usize(..CALLS.len())];
        let around = strace::inject(call, "signal=KILL", &strace::number_of(calls, random).to_string());
        let ended = command::start(folder, &around, &FIT)?.finish()?;
        if !ended.was_killed() {
            ended.in_order()?.explained()?;
        }
        go_on(folder, Compared::All)
    }
}

/// What a user types next.
fn next(folder: &Path) -> &'static [&'static str] {
    let has_checkpoint = folder.join("run/checkpoints/last/state.json").is_file();
    if has_checkpoint { &RESUME } else { &FIT }
}

/// Runs to the end what was disturbed. A run directory without a checkpoint may be refused, and is then begun
/// anew.
///
/// # Errors
/// The run cannot go on, or comes to something else.
pub fn go_on(folder: &Path, compared: Compared) -> Result<(), Fault> {
    let words = next(folder);
    let ended = command::run(folder, words)?.in_order()?.explained()?;
    if ended.succeeded() {
        return scene::expect_outcome(folder, compared, &ended);
    }
    if words == RESUME {
        return Err(ended.fault(&format!("a run with a checkpoint does not go on: {}", ended.last_words())));
    }
    std::fs::remove_dir_all(folder.join("run")).map_err(|error| Fault::new(error.to_string()))?;
    let ended = command::run(folder, &FIT)?.in_order()?.explained()?;
    if !ended.succeeded() {
        return Err(ended.fault(&format!("a run begun anew fails: {}", ended.last_words())));
    }
    scene::expect_outcome(folder, compared, &ended)
}
