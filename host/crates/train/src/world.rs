//! The processes that train together, and how they agree.
//!
//! ```text
//! launch      what the launcher's variables say of this process
//! World       this process alone, or one of several that met
//! meet        they wait until all are there
//! exchange    what each says at a place of the run, and hears of the others
//! failure     who ended the run, told to all
//! watch       a process that hangs while the run is over
//! ```
//!
//! Whatever several processes do together begins with an exchange that names the place of the run: one that
//! is somewhere else is named, with both places, before anybody waits for what does not come.

mod error;
mod exchange;
mod failure;
mod launch;
mod meet;
mod watch;

use std::cell::RefCell;
use std::fmt::Display;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tch::Tensor;

pub use error::{Cause, WorldError};
pub use failure::Failed;
pub use launch::{Launch, LaunchError, find_launch};
use thaw_torch::TorchError;
use thaw_torch::distributed::{Address, Group, Meeting, Wire};
use thaw_torch::gradients::TensorList;

/// How processes work together.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// How long one waits for another.
    pub timeout: Duration,
    /// Bytes of gradients that are sent as one.
    pub bucket_bytes: usize,
    /// The number format in which they are.
    pub wire: Wire,
}

/// The processes of a run: this one alone, or those that met. Clones are the same.
#[derive(Clone, Default)]
pub struct World(Option<Rc<Joined>>);

/// One of several processes.
struct Joined {
    launch: Launch,
    terms: Terms,
    /// None before all have met, and once this process has let go of the others.
    group: RefCell<Option<Group>>,
    meeting: Meeting,
    /// Whether this process has taken leave of the others.
    left: Arc<AtomicBool>,
}

impl World {
    /// This process alone.
    pub fn single() -> Self {
        Self::default()
    }

    /// Whether there are no others.
    pub fn is_single(&self) -> bool {
        self.0.is_none()
    }

    /// Which process this is, from 0.
    pub fn rank(&self) -> usize {
        self.0.as_ref().map_or(0, |joined| joined.launch.rank)
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.0.as_ref().map_or(1, |joined| joined.launch.world_size)
    }

    /// Whether this is the process that speaks and writes for all.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// What every process says at this place of the run, by rank.
    ///
    /// # Errors
    /// One is elsewhere, has failed, is gone, or does not come.
    pub fn exchange<T: Serialize + DeserializeOwned>(
        &self,
        place: impl Display,
        own: T,
    ) -> Result<Vec<T>, WorldError> {
        match &self.0 {
            None => Ok(vec![own]),
            Some(joined) => joined.exchange(&place.to_string(), &own),
        }
    }

    /// What the first process says.
    ///
    /// # Errors
    /// As [`World::exchange`].
    pub fn hear_first<T: Serialize + DeserializeOwned>(
        &self,
        place: impl Display,
        own: T,
    ) -> Result<T, WorldError> {
        let mut all = self.exchange(place, own)?.into_iter();
        all.next().ok_or(WorldError::Silent)
    }

    /// The bytes of every process, by rank; alone, its own. An [`exchange`](Self::exchange) comes before.
    ///
    /// # Errors
    /// As [`World::exchange`].
    pub fn gather(&self, what: &str, own: Vec<u8>) -> Result<Vec<Vec<u8>>, WorldError> {
        match &self.0 {
            None => Ok(vec![own]),
            Some(joined) => joined.gather(what, &own),
        }
    }

    /// Gives every process the values that these tensors have in the first one. An exchange comes before.
    ///
    /// # Errors
    /// As [`World::exchange`].
    pub fn share<'t>(
        &self,
        what: &str,
        tensors: impl IntoIterator<Item = &'t Tensor>,
    ) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        let tensors = tensors.into_iter().collect();
        joined.compute(what, |group| group.broadcast(&tensors, 0))
    }

    /// Has the next backward pass send the gradients of these parameters as they become done. An exchange
    /// comes before, and [`World::sum_gradients`] of the same parameters after it.
    ///
    /// # Errors
    /// libtorch refuses.
    pub fn begin_sums(&self, parameters: &TensorList) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        let Terms { bucket_bytes, wire, .. } = joined.terms;
        joined.compute("the backward pass", |group| group.begin_sums(parameters, bucket_bytes, wire))
    }

    /// Sums the gradients of these parameters over all processes. An exchange comes before.
    ///
    /// # Errors
    /// As [`World::exchange`].
    pub fn sum_gradients(&self, what: &str, parameters: &TensorList) -> Result<(), WorldError> {
        let Some(joined) = &self.0 else { return Ok(()) };
        let Terms { bucket_bytes, wire, .. } = joined.terms;
        let sent = joined.compute(what, |group| group.sum_gradients(parameters, bucket_bytes, wire))?;
        tracing::trace!(
            "{} of {} buckets of gradients were sent during the backward pass",
            sent.early,
            sent.buckets
        );
        Ok(())
    }
}

impl Joined {
    /// Does something that all processes do together.
    fn compute<T>(
        &self,
        place: &str,
        body: impl FnOnce(&Group) -> Result<T, TorchError>,
    ) -> Result<T, WorldError> {
        let result = match &*self.group.borrow() {
            Some(group) => body(group),
            None => return Err(WorldError::LetGo { place: place.to_owned() }),
        };
        result.map_err(|error| self.explain(place, &error))
    }

    /// Closes the connections, so that nobody waits for this process any more.
    fn let_go(&self) {
        drop(self.group.take());
    }
}

fn address_of(launch: &Launch, hosts: bool) -> Address {
    let (host, port) = (launch.master_addr.clone(), launch.master_port);
    Address { host, port, hosts, processes: launch.world_size }
}
