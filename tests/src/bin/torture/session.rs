//! Rounds until the time is up, on every core.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::attack::{Attack, Fault};

/// Attacks with a seed.
pub struct Session {
    seed: u64,
    attacks: Vec<&'static dyn Attack>,
    progress: Mutex<Progress>,
}

/// Rounds and time of each attack so far, and the faults.
#[derive(Default)]
struct Progress {
    rounds: BTreeMap<&'static str, u64>,
    used: BTreeMap<&'static str, Duration>,
    faults: usize,
}

/// How many rounds of which attack passed.
pub struct Report {
    rounds: BTreeMap<&'static str, u64>,
    faults: usize,
}

impl Report {
    /// Whether a round failed, or there was none.
    pub fn failed(&self) -> bool {
        self.faults > 0 || self.rounds.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, rounds) in &self.rounds {
            writeln!(f, "ran      {name:<20} {rounds} rounds")?;
        }
        let rounds: u64 = self.rounds.values().sum();
        writeln!(f, "{} passed, {} failed", rounds - self.faults as u64, self.faults)
    }
}

impl Session {
    pub fn new(seed: u64, attacks: Vec<&'static dyn Attack>) -> Self {
        Self { seed, attacks, progress: Mutex::default() }
    }

    /// One round of each attack.
    pub fn one(self, round: u64) -> Report {
        for attack in &self.attacks {
            self.progress().rounds.insert(attack.name(), 1);
            self.round(*attack, round);
        }
        self.report()
    }

    /// Rounds of all attacks, as much time for each, until the time is up.
    pub fn run(self, time: Duration) -> Report {
        let started = Instant::now();
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    while started.elapsed() < time {
                        let Some((attack, round)) = self.next() else { break };
                        self.round(attack, round);
                    }
                });
            }
        });
        self.report()
    }

    fn report(self) -> Report {
        let progress = self.progress.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Report { rounds: progress.rounds, faults: progress.faults }
    }

    fn progress(&self) -> std::sync::MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The attack that has had least time so far, and the number of its next round, which is taken.
    fn next(&self) -> Option<(&'static dyn Attack, u64)> {
        let mut progress = self.progress();
        let had = |attack: &&&'static dyn Attack| {
            let name = attack.name();
            let begun = progress.rounds.get(name).copied().unwrap_or_default();
            (progress.used.get(name).copied().unwrap_or_default(), begun)
        };
        let attack = *self.attacks.iter().min_by_key(had)?;
        let rounds = progress.rounds.entry(attack.name()).or_default();
        *rounds += 1;
        Some((attack, *rounds - 1))
    }

    fn round(&self, attack: &'static dyn Attack, round: u64) {
        let name = attack.name();
        let folder = thaw_tests::workspace().join(format!("target/torture/{name}-{}-{round}", self.seed));
        let started = Instant::now();
        let result = empty(&folder).and_then(|()| attack.round(&folder, &mut self.random(name, round)));
        *self.progress().used.entry(name).or_default() += started.elapsed();
        match result {
            Ok(()) => drop(fs::remove_dir_all(&folder)),
            Err(fault) => {
                self.progress().faults += 1;
                println!("FAILED   {name:<20} seed {} round {round}: {}", self.seed, fault.what);
                if !fault.command.is_empty() {
                    println!("         command   {}", fault.command);
                }
                println!(
                    "         again     cargo xtask torture {name} --seed {} --round {round}",
                    self.seed
                );
                println!("         kept in   {}", folder.display());
            }
        }
    }

    /// Random numbers of a round alone, whatever ran before.
    fn random(&self, name: &str, round: u64) -> Rng {
        let seed =
            name.bytes().fold(self.seed, |seed, byte| seed.wrapping_mul(0x100_0000_01b3) ^ u64::from(byte));
        Rng::with_seed(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(round))
    }
}

fn empty(folder: &Path) -> Result<(), Fault> {
    let io = |error: std::io::Error| Fault::new(format!("{}: {error}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(io)?;
    }
    fs::create_dir_all(folder).map_err(io)
}
