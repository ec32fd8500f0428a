//! Prefixes that runs have from each other.

use thaw_data::{About, Dataset, Delivery, FeatureStore, Features, Found, Pass, Split};

use super::fill::{Tried, View};
use super::probe::{are_close, tolerance};
use crate::Error;
use crate::config::CacheDtype;
use crate::fit::Fit;
use crate::fit::arrival::to_device;
use thaw_plugin_api::model::Tensors;

/// So many samples are computed all the same, to be compared with what an earlier run has left of them.
const COMPARED: usize = 4;

/// Where a prefix would lie, and under which key.
pub(super) struct Sharing {
    store: FeatureStore,
    key: String,
    about: About,
}

impl Sharing {
    /// The folder that has room for what memory has not.
    pub(super) fn store(&self) -> FeatureStore {
        self.store.clone()
    }

    /// Leaves features to runs to come. This one goes on without, if that cannot be.
    pub(super) fn keep(&self, features: &mut Features) {
        match self.store.keep(&self.key, &self.about, features) {
            Ok(true) => tracing::debug!("frozen cache: kept as {}", self.key),
            Ok(false) => tracing::debug!("frozen cache: not kept for other runs"),
            Err(error) => {
                let folder = thaw_terminal::escape(&self.store.folder().display().to_string()).into_owned();
                tracing::info!("frozen cache: {folder}: runs to come have to compute it again: {error}");
            }
        }
    }
}

impl Fit {
    /// Where this prefix may lie; none where nothing is to be kept on disk, where nobody can say what the
    /// samples are, or in a run of several processes.
    pub(super) fn sharing(&mut self, split: Split, cut: usize, view: View) -> Result<Option<Sharing>, Error> {
        let disk = self.state.disk();
        // Several processes would have to find the same, each on its own machine.
        if disk == 0 || !self.state.world.is_single() {
            return Ok(None);
        }
        let start = std::time::Instant::now();
        let Some(key) = self.key(split, cut, view)? else { return Ok(None) };
        let milliseconds = start.elapsed().as_secs_f64() * 1e3;
        tracing::debug!("frozen cache: key {key}, made in {milliseconds:.1} ms");
        let about = About {
            model: self.state.config.model.id.clone(),
            after: self.state.trained.model.stages()[cut - 1].name.clone(),
            of: if split == Split::Train { "training" } else { "validation" }.to_owned(),
            samples: self.state.data.samples(split),
        };
        Ok(Some(Sharing { store: FeatureStore::of_user(disk), key, about }))
    }

    /// What an earlier run has left. The model is looked at as if it were computed, with a few samples, which
    /// have to come out as they did there.
    pub(super) fn taken(
        &mut self,
        sharing: &Sharing,
        split: Split,
        cut: usize,
        view: View,
    ) -> Result<Option<Tried<Features>>, Error> {
        let Some(dataset) = self.state.data.dataset(split).cloned() else { return Ok(None) };
        let samples: Vec<usize> = (0..dataset.len().min(COMPARED)).collect();
        let features = match sharing.store.take(&sharing.key, dataset, &self.state.room(view)) {
            Found::Nothing => return Ok(None),
            Found::Features(features) => features,
            Found::Unusable { path, reason } => {
                let path = thaw_terminal::escape(&path.display().to_string()).into_owned();
                tracing::warn!("frozen cache: {path}: {reason}; it is computed again");
                return Ok(None);
            }
        };
        let epoch = self.state.progress().epoch as u64;
        let batch = self.state.data.batch(split, epoch, &samples)?;
        if batch.indices != samples {
            return Ok(None);
        }
        let pass = Pass { seed: 0, epoch, view: 0, augment: false, delivery: Delivery::Cpu };
        let kept = features.batch(&samples, &pass)?;
        let targets = (batch.targets.as_ref().map(tch::Tensor::shallow_clone), kept.targets);
        let (batch, count) = to_device(batch, self.state.trained.model.device())?;
        if let Err(hindrance) = self.state.probe_prefix(split, cut, &batch, count)? {
            return Ok(Some(Err(hindrance)));
        }
        let computed: Tensors = self.state.outputs_before(cut, batch.inputs)?.into_iter().collect();
        let kept =
            to_device(thaw_data::Batch::new(kept.inputs, None, samples), self.state.trained.model.device())?;
        let are_same_targets = match targets {
            (Some(now), Some(kept)) => now == kept,
            (now, kept) => now.is_none() && kept.is_none(),
        };
        if are_same_targets && are_close(&kept.0.inputs, &computed, self.accuracy())? {
            return Ok(Some(Ok(features)));
        }
        tracing::warn!(
            "frozen cache: what an earlier run has left ({}) is not what the model gives; it is computed \
             again",
            sharing.key
        );
        Ok(None)
    }

    /// How far apart samples may lie that were computed in another batch.
    fn accuracy(&self) -> f64 {
        let trainer = &self.state.config.trainer;
        let of_kept = match trainer.cache_dtype {
            CacheDtype::Fp32 => 0.0,
            CacheDtype::Bf16 => 1e-2,
            CacheDtype::Fp16 => 2e-3,
        };
        tolerance(trainer.precision, self.state.trained.model.device()) + of_kept
    }
}
