//! How the processes of a launch find each other: each says in the store that it is there, and waits for all.
//!
//! Keys of the store: `here/RANK`. One that fails on its way there says so, and nobody waits for it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::failure::Failed;
use super::{Joined, Launch, Terms, World, WorldError, address_of};
use thaw_torch::TorchError;
use thaw_torch::distributed::{Group, Meeting, Wire};

/// How long a process that failed on its way tries to reach the others.
const REACH: Duration = Duration::from_secs(10);

impl World {
    /// Opens the store at which the processes of a launch meet. [`World::meet`] waits for them.
    ///
    /// # Errors
    /// The place is taken, or the one that hosts the store did not come in time.
    pub fn open(launch: Launch, terms: Terms) -> Result<Self, WorldError> {
        if launch.world_size == 1 {
            return Ok(Self::single());
        }
        let address = address_of(&launch, launch.hosts_store());
        let missing = |error: TorchError| WorldError::NotMet {
            place: launch.place(),
            waited: terms.timeout,
            reason: error.to_string(),
        };
        let meeting = Meeting::open(&address, &launch.prefix(), terms.timeout).map_err(missing)?;
        let (group, left) = (RefCell::default(), Arc::default());
        let joined = Joined { launch, terms, group, meeting, left };
        joined.put(&here(joined.launch.rank), "");
        Ok(Self(Some(Rc::new(joined))))
    }

    /// Meets the other processes of a launch. Returns when all are there.
    ///
    /// # Errors
    /// As [`World::open`] and [`World::meet`].
    pub fn join(launch: Launch, terms: Terms) -> Result<Self, WorldError> {
        let world = Self::open(launch, terms)?;
        world.meet()?;
        Ok(world)
    }

    /// Opens the store only to say in it that this process has failed.
    ///
    /// # Errors
    /// The place is taken, or the one that hosts the store did not come.
    pub fn open_to_tell(launch: Launch) -> Result<Self, WorldError> {
        Self::open(launch, Terms { timeout: REACH, bucket_bytes: 0, wire: Wire::Exact })
    }

    /// Returns when all processes are there.
    ///
    /// # Errors
    /// One did not come in time, or failed on its way.
    pub fn meet(&self) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        joined.call_the_roll()?;
        let Joined { launch, terms, meeting, group, .. } = &**joined;
        let (rank, size) = (launch.rank, launch.world_size);
        let met = Group::join(meeting, rank, size, terms.timeout, launch.is_one_machine());
        *group.borrow_mut() = Some(met.map_err(|error| joined.not_met(error.to_string()))?);
        Ok(())
    }
}

impl Joined {
    /// Waits until every process has said that it is there.
    fn call_the_roll(&self) -> Result<(), WorldError> {
        let mut absent: Vec<usize> = (0..self.launch.world_size).collect();
        let (mut failed, mut is_gone) = (None, false);
        self.wait_until(self.terms.timeout, || {
            absent.retain(|rank| !self.has(&here(*rank)));
            failed = self.told_failure();
            is_gone = self.store_is_gone();
            failed.is_some() || is_gone || absent.is_empty()
        });
        if let Some((rank, Failed { message, code })) = failed {
            return Err(WorldError::Peer { rank, message, code });
        }
        if is_gone {
            return Err(
                self.not_met("the process that hosts the store, or the launcher, has ended".to_owned())
            );
        }
        if absent.is_empty() {
            return Ok(());
        }
        let ranks: Vec<String> = absent.iter().map(ToString::to_string).collect();
        Err(self.not_met(match ranks.as_slice() {
            [one] => format!("rank {one} has not come"),
            several => format!("ranks {} have not come", several.join(", ")),
        }))
    }

    fn not_met(&self, reason: String) -> WorldError {
        WorldError::NotMet { place: self.launch.place(), waited: self.terms.timeout, reason }
    }
}

/// Key under which a process says that it is there.
pub(super) fn here(rank: usize) -> String {
    format!("here/{rank}")
}
