//! A run's whole state in memory, to be put back exactly.

use super::RunState;
use super::state::{HeldTrained, Measured, Position, Requests, Watched};
use crate::Error;
use crate::checkpoint::SavedPrefix;
use crate::random::RandomStates;

/// What training and hooks change of a run. What lies on disk is not put back.
pub(super) struct Held {
    trained: HeldTrained,
    position: Position,
    measured: Measured,
    requests: Requests,
    watched: Watched,
    prefix: SavedPrefix,
    random: RandomStates,
}

impl RunState {
    /// Copies everything; waits for the device.
    ///
    /// # Errors
    /// The memory is too small.
    pub(super) fn hold(&mut self) -> Result<Held, Error> {
        self.read_all()?;
        let Self {
            config: _,
            data: _,
            trained,
            position,
            measured,
            requests,
            kept: _,
            watched,
            prefix,
            outcome: _,
            warnings: _,
            world: _,
        } = self;
        Ok(Held {
            trained: trained.hold()?,
            position: position.clone(),
            measured: measured.hold(),
            requests: requests.clone(),
            watched: watched.clone(),
            prefix: prefix.save(),
            random: RandomStates::of(trained.model.device())?,
        })
    }

    /// Puts everything back. Batches in between do not count: what of them is not read yet is forgotten.
    ///
    /// # Errors
    /// libtorch refuses: the run cannot go on.
    pub(super) fn put_back(&mut self, held: &Held) -> Result<(), Error> {
        let Held { trained, position, measured, requests, watched, prefix, random } = held;
        self.trained.put_back(trained)?;
        self.position.clone_from(position);
        self.measured = measured.hold();
        self.requests.clone_from(requests);
        self.watched.clone_from(watched);
        self.prefix.restore(prefix);
        Ok(random.put_back()?)
    }
}
