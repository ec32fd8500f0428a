//! Disks that fail and disks that are full.

use std::path::Path;

use fastrand::Rng;

use crate::attack::{Attack, Fault};
use crate::kills::go_on;
use crate::scene::{self, Compared, FIT};
use crate::{command, strace};

/// A write, rename or sync that fails, once or from then on. Without strace: files that cannot grow.
pub struct FailingCalls;

/// Calls that may fail, and how many of each a run makes at least.
const CALLS: [(&str, u32); 8] = [
    ("write", 20),
    ("pwrite64", 5),
    ("fsync", 30),
    ("fdatasync", 6),
    ("rename,renameat,renameat2", 22),
    ("mkdir,mkdirat", 8),
    ("symlink,symlinkat", 6),
    ("link,linkat", 3),
];

impl Attack for FailingCalls {
    fn name(&self) -> &'static str {
        "failing-calls"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let around = if strace::missing().is_none() { failing(random) } else { small_files(random) };
        let ended = command::start(folder, &around, &FIT)?.finish()?.in_order()?;
        let says = |text: &str| ended.stderr.contains(text);
        // What went wrong with a record is said, and the run goes on without it. What it ends with is on
        // disk.
        let compared = if says(".jsonl") { Compared::WithoutRecords } else { Compared::All };
        if ended.succeeded() {
            scene::expect_outcome(folder, compared, &ended)?;
        }
        go_on(folder, compared)
    }
}

fn failing(random: &mut Rng) -> Vec<String> {
    let (call, calls) = CALLS[random.usize(..CALLS.len())];
    if call == "write" && random.bool() {
        // Not all writes from one on: what the program says is written, too.
        return small_files(random);
    }
    let error = if random.bool() { "error=ENOSPC" } else { "error=EIO" };
    let from_then_on = if call != "write" && random.bool() { "+" } else { "" };
    strace::inject(call, error, &format!("{}{from_then_on}", strace::number_of(calls, random)))
}

/// A shell that lets no file grow beyond some KiB.
fn small_files(random: &mut Rng) -> Vec<String> {
    // POSIX counts in blocks of 512 bytes.
    let limit = format!("ulimit -S -f {}; exec \"$@\"", random.u32(1..=40));
    ["sh", "-c", &limit, "sh"].map(str::to_owned).to_vec()
}
