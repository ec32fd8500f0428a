//! Who ended the run: told to all, and found out by those who only notice that somebody is missing.
//!
//! Keys of the store: `failure/RANK`, why that process failed; `missing/RANK`, that it waits for somebody in
//! vain;
//! `over`, that the run has failed; `told`, that somebody says for all why the run ends; `left/RANK`, that
//! the process needs the store no more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::meet::here;
use super::{Joined, World, WorldError};
use thaw_torch::TorchError;

/// Key that is set when the run has failed.
pub(super) const OVER: &str = "over";
/// Key that is set when somebody says for all why it failed.
const TOLD: &str = "told";
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
            joined.put(&failure(joined.launch.rank), &text);
        }
        joined.let_go();
    }

    /// Takes leave of the others, where the run has failed with its `error`. Gives whether another process
    /// says why, so that this one need not: the first one, or the first of those that are left.
    pub fn leave(&self, error: Option<&WorldError>, failed: bool) -> bool {
        let Some(joined) = &self.0 else { return false };
        joined.left.store(true, Ordering::Release);
        if failed {
            joined.put(OVER, "");
        }
        let rank = joined.launch.rank;
        let missing = error.map(WorldError::missing).unwrap_or_default();
        let speaks = (0..=rank).find(|rank| !missing.contains(rank)) == Some(rank);
        if failed && speaks {
            joined.put(TOLD, "");
        }
        if joined.launch.hosts_store() {
            joined.wait_for_others();
            return false;
        }
        let told = failed && !speaks && joined.is_told();
        joined.put(&left(rank), "");
        told
    }
}

fn failure(rank: usize) -> String {
    format!("failure/{rank}")
}

fn left(rank: usize) -> String {
    format!("left/{rank}")
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
        let (mut told, mut is_gone) = (None, false);
        let mut here = vec![false; size];
        self.wait_until(ROLL_CALL, || {
            told = self.told_failure();
            (0..size).for_each(|rank| here[rank] |= rank == own || self.has(&format!("missing/{rank}")));
            is_gone = self.store_is_gone();
            told.is_some() || is_gone || here.iter().all(|here| *here)
        });
        if let Some((rank, Failed { message, code })) = told {
            return WorldError::Peer { rank, message, code };
        }
        let place = place.to_owned();
        if is_gone && !self.launch.has_agent_store {
            // It went with the first process, and of the others nothing can be known.
            return WorldError::Gone { ranks: vec![0], place };
        }
        let ranks: Vec<usize> = (0..size).filter(|rank| !here[*rank]).collect();
        match (ranks.is_empty(), is_late) {
            (true, _) => WorldError::Network { place, reason },
            (false, true) => WorldError::Hung { ranks, place, waited: self.terms.timeout },
            (false, false) => WorldError::Gone { ranks, place },
        }
    }

    /// The first failure that another process told.
    pub(super) fn told_failure(&self) -> Option<(usize, Failed)> {
        let others = (0..self.launch.world_size).filter(|rank| *rank != self.launch.rank);
        let mut failures = others.filter_map(|rank| {
            let text = self.meeting.get(&failure(rank)).ok().flatten()?;
            Some((rank, serde_json::from_str(&text).ok()?))
        });
        failures.next()
    }

    /// Waits until somebody says why the run failed; not where nobody can any more.
    fn is_told(&self) -> bool {
        let mut told = false;
        self.wait_until(FAREWELL, || {
            told = self.has(TOLD);
            told || self.store_is_gone()
        });
        told
    }

    /// Keeps the store until those who are there need it no more; where a process has said why it failed,
    /// until all have heard of it, those included that are still on their way.
    fn wait_for_others(&self) {
        let mut failures = (0..self.launch.world_size).map(failure);
        let tells = failures.any(|key| self.has(&key));
        let has_left = |rank: usize| self.has(&left(rank)) || !(tells || self.has(&here(rank)));
        self.wait_until(FAREWELL, || (1..self.launch.world_size).all(has_left));
    }

    /// Whether nobody can be asked any more: the host of the store has ended.
    pub(super) fn store_is_gone(&self) -> bool {
        self.meeting.get(OVER).is_err()
    }

    /// A store that is gone is not waited for.
    pub(super) fn put(&self, key: &str, value: &str) {
        if let Err(error) = self.meeting.set(key, value) {
            tracing::debug!("{error}");
        }
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.meeting.get(key).is_ok_and(|value| value.is_some())
    }

    /// Looks again and again, up to a limit.
    pub(super) fn wait_until(&self, limit: Duration, mut is_so: impl FnMut() -> bool) -> bool {
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
