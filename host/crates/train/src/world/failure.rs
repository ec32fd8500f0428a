//! Who ended the run: told to all, and found out by those who only notice that somebody is missing.
//!
//! Keys of the store: `failure/RANK`, why that process failed; `missing/RANK`, that it waits for somebody in
//! vain;
//! `over`, that the run has failed; `told`, that the first process says why the run ends; `left/RANK`, that
//! the process needs the store no more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::{Joined, World, WorldError};
use thaw_torch::TorchError;

/// Key that is set when the run has failed.
pub(super) const OVER: &str = "over";
/// How long those who miss somebody wait for each other to say so.
const ROLL_CALL: Duration = Duration::from_secs(5);
/// How long a process that failed waits for the first one to say so, and the store's host for the others to
/// leave.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often they look.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a process ended the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Failed {
    /// Its error.
    pub message: String,
    /// Its exit code.
    pub code: u8,
}

impl World {
    /// Tells the others why this process ends the run.
    pub fn tell_failure(&self, failed: &Failed) {
        let Some(joined) = &self.0 else { return };
        if let Ok(text) = serde_json::to_string(failed) {
            joined.put(&format!("failure/{}", joined.launch.rank), &text);
        }
        joined.let_go();
    }

    /// Takes leave of the others. Gives whether the first process says why the run fails, so that this one
    /// need not.
    pub fn leave(&self, failed: bool) -> bool {
        let Some(joined) = &self.0 else { return false };
        joined.left.store(true, Ordering::Release);
        if failed {
            joined.put(OVER, "");
        }
        if joined.launch.rank == 0 {
            if failed {
                joined.put("told", "");
            }
            if joined.launch.hosts_store() {
                let others = 1..joined.launch.world_size;
                joined
                    .wait_until(FAREWELL, || others.clone().all(|rank| joined.has(&format!("left/{rank}"))));
            }
            return false;
        }
        let told = failed && joined.wait_until(FAREWELL, || joined.has("told"));
        joined.put(&format!("left/{}", joined.launch.rank), "");
        told
    }
}

impl Joined {
    /// What ended something that all do together: a failure that somebody told, else who is missing.
    pub(super) fn explain(&self, place: &str, error: &TorchError) -> WorldError {
        let (own, size) = (self.launch.rank, self.launch.world_size);
        let reason = error.to_string();
        let is_late = is_timeout(&reason);
        self.put(&format!("missing/{own}"), place);
        // Others may wait for this process, and not for the one that is missing.
        self.let_go();
        let mut told = None;
        let mut here = vec![false; size];
        self.wait_until(ROLL_CALL, || {
            told = self.told_failure();
            (0..size).for_each(|rank| here[rank] |= rank == own || self.has(&format!("missing/{rank}")));
            told.is_some() || here.iter().all(|here| *here)
        });
        if let Some((rank, Failed { message, code })) = told {
            return WorldError::Peer { rank, message, code };
        }
        let ranks: Vec<usize> = (0..size).filter(|rank| !here[*rank]).collect();
        let place = place.to_owned();
        match (ranks.is_empty(), is_late) {
            (true, _) => WorldError::Network { place, reason },
            (false, true) => WorldError::Hung { ranks, place, waited: self.terms.timeout },
            (false, false) => WorldError::Gone { ranks, place },
        }
    }

    /// The first failure that another process told.
    fn told_failure(&self) -> Option<(usize, Failed)> {
        let others = (0..self.launch.world_size).filter(|rank| *rank != self.launch.rank);
        let mut failures = others.filter_map(|rank| {
            let text = self.meeting.get(&format!("failure/{rank}")).ok().flatten()?;
            Some((rank, serde_json::from_str(&text).ok()?))
        });
        failures.next()
    }

    /// A store that is gone is not waited for: its host is among the missing.
    fn put(&self, key: &str, value: &str) {
        if let Err(error) = self.meeting.set(key, value) {
            tracing::debug!("{error}");
        }
    }

    fn has(&self, key: &str) -> bool {
        self.meeting.get(key).is_ok_and(|value| value.is_some())
    }

    /// Looks again and again, up to a limit.
    fn wait_until(&self, limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
        let begun = Instant::now();
        loop {
            if is_so() {
                return true;
            }
            if begun.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

/// Gloo's words for a process that is there and does not come.
fn is_timeout(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    reason.contains("timed out") || reason.contains("timeout")
}
