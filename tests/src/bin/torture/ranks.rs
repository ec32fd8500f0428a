//! Runs of several processes, of which some are killed, started anew as a launcher does.

use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tempfile::TempDir;
use thaw_tests::Outcome;

use crate::attack::{Attack, Fault};
use crate::command::{self, Ended, Started};
use crate::scene;

/// How many there are.
const PROCESSES: usize = 2;
/// Kills of a round.
const KILLS: u32 = 6;
const FIT: [&str; 8] =
    ["fit", "run.toml", "--run-dir", "run", "--resume", "auto", "--set", "trainer.timeout=30"];

/// SIGKILL to a process of several, the first one included, at any moment.
pub struct Ranks;

impl Attack for Ranks {
    fn name(&self) -> &'static str {
        "kill-ranks"
    }

    fn round(&self, folder: &Path, random: &mut Rng) -> Result<(), Fault> {
        scene::write(folder)?;
        let (expected, took) = undisturbed()?;
        for _ in 0..KILLS {
            begin_anew(folder)?;
            // A run that is done is begun anew.
            if killed(folder, random.usize(..PROCESSES), took.mul_f64(random.f64()))? {
                compare(folder, expected)?;
                std::fs::remove_dir_all(folder.join("run")).map_err(|error| Fault::new(error.to_string()))?;
            }
        }
        begin_anew(folder)?;
        let ended = finish(start(folder)?)?;
        if let Some(failed) = ended.iter().find(|ended| !ended.succeeded()) {
            return Err(failed.fault(&format!("a run that was killed fails: {}", failed.last_words())));
        }
        compare(folder, expected)
    }
}

/// A run directory without a checkpoint is refused: whoever starts the processes takes it away.
fn begin_anew(folder: &Path) -> Result<(), Fault> {
    let run = folder.join("run");
    if !run.exists() || run.join("checkpoints/last/state.json").is_file() {
        return Ok(());
    }
    std::fs::remove_dir_all(run).map_err(|error| Fault::new(error.to_string()))
}

/// Kills one process after a time; the others have to end with an error by themselves. Gives whether the run
/// was done before.
fn killed(folder: &Path, rank: usize, after: Duration) -> Result<bool, Fault> {
    let mut all = start(folder)?;
    sleep(after);
    all.remove(rank).kill();
    let ended = finish(all)?;
    let is_done = ended.iter().all(Ended::succeeded);
    for ended in ended.into_iter().filter(|ended| !ended.succeeded()) {
        ended.in_order()?.explained()?;
    }
    Ok(is_done && folder.join("run/report.html").is_file())
}

fn start(folder: &Path) -> Result<Vec<Started>, Fault> {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.map_err(|error| Fault::new(error.to_string()))?.port();
    let start = |rank: usize| {
        let variables = [
            ("RANK", rank.to_string()),
            ("LOCAL_RANK", rank.to_string()),
            ("WORLD_SIZE", PROCESSES.to_string()),
            ("LOCAL_WORLD_SIZE", PROCESSES.to_string()),
            ("MASTER_ADDR", "127.0.0.1".to_owned()),
            ("MASTER_PORT", port.to_string()),
        ];
        command::start_rank(folder, &folder.join(format!("rank-{rank}")), &variables, &FIT)
    };
    (0..PROCESSES).map(start).collect()
}

fn finish(all: Vec<Started>) -> Result<Vec<Ended>, Fault> {
    all.into_iter().map(Started::finish).collect()
}

/// What the run comes to when nobody disturbs it, and how long it takes.
fn undisturbed() -> Result<(&'static Outcome, Duration), Fault> {
    static RUN: OnceLock<Result<(Outcome, Duration), String>> = OnceLock::new();
    let run = RUN.get_or_init(|| {
        let folder = TempDir::new().map_err(|error| error.to_string())?;
        let text = |fault: Fault| fault.what;
        scene::write(folder.path()).map_err(text)?;
        let started = Instant::now();
        let ended = start(folder.path()).and_then(finish).map_err(text)?;
        if let Some(failed) = ended.iter().find(|ended| !ended.succeeded()) {
            return Err(format!("the run fails that nobody disturbs: {}", failed.last_words()));
        }
        let outcome = Outcome::read(&folder.path().join("run")).map_err(|error| error.to_string())?;
        Ok((outcome, started.elapsed()))
    });
    run.as_ref().map(|(outcome, took)| (outcome, *took)).map_err(Fault::new)
}

fn compare(folder: &Path, expected: &Outcome) -> Result<(), Fault> {
    let found = Outcome::read(&folder.join("run")).map_err(|error| Fault::new(error.to_string()))?;
    match expected.difference(&found, |_| true) {
        None => Ok(()),
        Some(difference) => Err(Fault::new(format!("not the run that nobody disturbed: {difference}"))),
    }
}
