//! What a checkpoint keeps of a run: every part says so itself.

use std::collections::BTreeMap;

use tch::Tensor;

use super::RunState;
use crate::Error;
use crate::checkpoint::{SavedCallback, SavedGiven, SavedModel, SavedObserved, SavedState, Snapshot};
use crate::error::torch;
use crate::random::RandomStates;
use crate::world::World;

impl RunState {
    /// A checkpoint of the present state, with that of strategies, callbacks and observers.
    ///
    /// # Errors
    /// The device failed at what came before, which is waited for.
    pub(super) fn snapshot(
        &self,
        callbacks: Vec<SavedCallback>,
        observed: SavedObserved,
    ) -> Result<Snapshot, Error> {
        let Self {
            config: _,
            data,
            trained,
            position,
            measured,
            requests,
            kept,
            watched: _,
            prefix,
            outcome: _,
            warnings: _,
            world,
        } = self;
        let mut saved = trained.save(&self.config)?;
        saved.optimizer.extend(self.random_states(world)?);
        let state = SavedState {
            format: 1,
            thaw: env!("CARGO_PKG_VERSION").to_owned(),
            // With the checksums that writing them gives.
            files: BTreeMap::new(),
            position: position.save(data, self.run_length()),
            given: self.given()?,
            trained: saved.state,
            callbacks,
            measured: measured.save(),
            requests: requests.save(self.waiting_stop()),
            prefix: prefix.save(),
            kept: kept.save(),
            observed,
        };
        let files = kept.paths.files().to_vec();
        Ok(Snapshot { model: saved.model, optimizer: saved.optimizer, sets: saved.sets, files, state })
    }

    /// States of the generators of all processes, by their names in a checkpoint.
    fn random_states(&self, world: &World) -> Result<Vec<(String, Tensor)>, Error> {
        let own = RandomStates::of(self.trained.model.device())?.into_named(world.rank());
        let own = own.map(|(name, state)| {
            let bytes = Vec::<u8>::try_from(&state).map_err(torch("reading random states"))?;
            Ok((name, bytes))
        });
        let own = own.collect::<Result<Vec<_>, Error>>()?;
        let all = world.exchange("the random numbers of a checkpoint", own)?;
        let named = all.into_iter().flatten();
        Ok(named.map(|(name, bytes)| (name, Tensor::from_slice(&bytes))).collect())
    }

    /// What the run was started with.
    ///
    /// # Errors
    /// A data set that cannot say its state.
    fn given(&self) -> Result<SavedGiven, Error> {
        Ok(SavedGiven {
            model: SavedModel { id: self.config.model.id.clone(), config: self.config.given_model() },
            class_names: self.data.class_names().to_vec(),
            data: Some(self.data.fingerprints().clone()),
            split_by: Some(self.data.split_by().clone()),
            dataset: Some(self.data.state()?).filter(|state| !state.is_null()),
            class_weights: self.trained.model.class_weights().map(<[f64]>::to_vec),
            config: self.config.table.clone(),
            paths: self.kept.paths.paths().clone(),
        })
    }
}
