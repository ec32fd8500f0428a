//! The pass that computes a prefix.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tch::Tensor;

use super::boundary::tensors_before;
use super::processes::{Part, agreed, of_all};
use super::shared::Sharing;
use super::{Entries, Hindrance, Watch};
use crate::Error;
use crate::config::{Audit, CacheDtype};
use crate::fit::Fit;
use crate::fit::arrival::to_device;
use crate::fit::events::{CacheOrigin, CacheStart, EventKind};
use crate::random::RandomStates;
use thaw_data::{DataError, FeatureKind, FeatureRoom, Features, FeaturesBuilder, Split, cache_folder};
use thaw_torch::Autocast;

/// What came of an attempt: what is to go on with, or why not.
pub(super) type Tried<T> = Result<T, Hindrance>;

/// An augmented view of the samples, and how many there are; none where a sample has one input.
pub(super) type View = Option<(u64, u64)>;

impl Fit {
    /// Computes what the stages before `cut` give for every sample of a split, or takes it from an earlier
    /// run. Random numbers are afterwards as before.
    ///
    /// # Errors
    /// The data, the model or an observer fails, or the user ends the run.
    pub(super) fn fill(&mut self, split: Split, cut: usize, view: View) -> Result<Tried<Entries>, Error> {
        let start = Instant::now();
        let random = RandomStates::of(self.state.trained.model.device())?;
        let features = self.taken_or_computed(split, cut, view);
        random.put_back()?;
        let (features, origin) = match features? {
            Ok(features) => features,
            Err(hindrance) => return Ok(Err(hindrance)),
        };
        let watch = self.state.watch_before(cut).with_values(self.state.unwatched())?;
        let stages = self.state.trained.model.stages();
        let after = stages[cut - 1].name.clone();
        let (stages, seconds) = (stages.len(), start.elapsed().as_secs_f64());
        let (bytes, is_on_disk) = (features.bytes(), features.is_on_disk());
        self.state.prefix.told_of_mut(split).clear();
        let start =
            CacheStart::Stage { after: &after, cut, stages, bytes, is_on_disk, seconds, origin, view };
        self.tell(EventKind::FrozenCache { split, start })?;
        let features: Arc<dyn thaw_data::Dataset> = Arc::new(features);
        let features = BTreeMap::from([(view.map_or(0, |(view, _)| view), features)]);
        Ok(Ok(Entries { cut, features, watch }))
    }

    fn taken_or_computed(
        &mut self,
        split: Split,
        cut: usize,
        view: View,
    ) -> Result<Tried<(Features, CacheOrigin)>, Error> {
        let sharing = self.sharing(split, cut, view)?;
        if let Some(sharing) = &sharing
            && let Some(taken) = self.taken(sharing, split, cut, view)?
        {
            return Ok(taken.map(|features| (features, CacheOrigin::Taken)));
        }
        let mut features = match self.computed(split, cut, view, sharing.as_ref())? {
            Ok(features) => features,
            Err(hindrance) => return Ok(Err(hindrance)),
        };
        if let Some(sharing) = sharing {
            sharing.keep(&mut features);
        }
        Ok(Ok((features, CacheOrigin::Computed)))
    }

    fn computed(
        &mut self,
        split: Split,
        cut: usize,
        view: View,
        sharing: Option<&Sharing>,
    ) -> Result<Tried<Features>, Error> {
        let data = &self.state.data;
        let loader = data.in_order(split, view.map(|(view, _)| view))?;
        let (Some(dataset), Some(loader)) = (data.dataset(split).cloned(), loader) else {
            return Ok(Err(Hindrance::Kept("there are no samples".to_owned())));
        };
        let mut builder = FeaturesBuilder::new(dataset, self.state.room(view))
            .kept_as(self.state.feature_kind())
            .for_store(sharing.map(Sharing::store));
        // Several processes give up together: what one of them finds, all hear with the next batch.
        let mut refused = None;
        let mut is_probed = false;
        for batch in loader {
            self.check_interrupted_fill()?;
            let batch = batch?;
            let own = match refused.take() {
                None => self.part(split, cut, batch, &mut is_probed)?,
                Some(hindrance) => Err(hindrance),
            };
            let parts = match of_all(&self.state.world, own)? {
                Ok(parts) => parts,
                Err(hindrance) => return Ok(Err(hindrance)),
            };
            for part in parts.iter().filter(|part| !part.indices.is_empty()) {
                if refused.is_none() {
                    let pushed = builder.push(&part.indices, &part.outputs, part.targets.as_ref());
                    refused = kept(pushed)?.err();
                }
            }
        }
        let features = match refused {
            None => kept(builder.finish())?,
            Some(hindrance) => Err(hindrance),
        };
        Ok(agreed(&self.state.world, features)?)
    }

    /// What the stages give for this process' samples of a batch, which may be none.
    fn part(
        &mut self,
        split: Split,
        cut: usize,
        batch: thaw_data::Batch,
        is_probed: &mut bool,
    ) -> Result<Tried<Part>, Error> {
        let (indices, targets) = (batch.indices.clone(), batch.targets.as_ref().map(Tensor::shallow_clone));
        if indices.is_empty() {
            return Ok(Ok(Part { indices, outputs: Vec::new(), targets: None }));
        }
        let (batch, samples) = to_device(batch, self.state.trained.model.device())?;
        if !std::mem::replace(is_probed, true)
            && let Err(hindrance) = self.state.probe_prefix(split, cut, &batch, samples)?
        {
            return Ok(Err(hindrance));
        }
        let outputs = self.state.outputs_before(cut, batch.inputs)?;
        Ok(Ok(Part { indices, outputs, targets }))
    }

    /// A user who ends the run while a prefix is computed loses nothing but that, where the last checkpoint
    /// is of the batch before.
    fn check_interrupted_fill(&self) -> Result<(), Error> {
        let progress = self.state.progress();
        let is_saved = progress.epoch == 0 || self.state.config.checkpoint.every_n_epochs == 1;
        if progress.batch_index == 0 && is_saved && self.is_interrupted() {
            return Err(self.interrupted());
        }
        Ok(())
    }
}

impl crate::fit::RunState {
    /// What the stages before `cut` give for a batch.
    pub(super) fn outputs_before(
        &mut self,
        cut: usize,
        inputs: thaw_plugin_api::model::Tensors,
    ) -> Result<Vec<(String, Tensor)>, Error> {
        let _guard = tch::no_grad_guard();
        let model = &mut self.trained.model;
        let _autocast = Autocast::of(self.config.trainer.precision, model.device())?;
        Ok(model.run_stages(0, cut, inputs)?.into_iter().collect())
    }

    /// Watches what the stages before `cut` may read.
    pub(super) fn watch_before(&self, cut: usize) -> Watch {
        let model = &self.trained.model;
        let names = tensors_before(model.tree(), model.stages(), cut);
        Watch::over(names.filter_map(|name| Some((name, model.tensor(name).ok()?))))
    }

    /// Which tensors the audit of frozen parameters does not look at, or does not end the run for.
    fn unwatched(&self) -> impl Fn(&str) -> bool + use<> {
        let is_strict = self.config.trainer.audit == Audit::Error;
        let parameters: std::collections::HashSet<String> =
            self.trained.model.tree().parameters().map(|parameter| parameter.name.clone()).collect();
        move |name| !(is_strict && parameters.contains(name))
    }

    /// Each of several views has its share.
    pub(super) fn room(&self, view: View) -> FeatureRoom {
        let trainer = &self.config.trainer;
        let views = view.map_or(1, |(_, views)| views);
        FeatureRoom {
            memory: (trainer.cache_mib as u64).saturating_mul(1 << 20) / views,
            disk: self.disk() / views,
            folder: cache_folder(),
        }
    }

    pub(super) fn disk(&self) -> u64 {
        (self.config.trainer.cache_disk_gib as u64).saturating_mul(1 << 30)
    }

    fn feature_kind(&self) -> FeatureKind {
        match self.config.trainer.cache_dtype {
            CacheDtype::Fp32 => FeatureKind::Full,
            CacheDtype::Bf16 => FeatureKind::Bf16,
            CacheDtype::Fp16 => FeatureKind::Fp16,
        }
    }
}

/// Features that cannot be kept are no failure of the run.
fn kept<T>(result: Result<T, DataError>) -> Result<Tried<T>, DataError> {
    match result {
        Ok(kept) => Ok(Ok(kept)),
        Err(
            error @ (DataError::Features(_) | DataError::FeatureRoom { .. } | DataError::FeatureFile { .. }),
        ) => Ok(Err(Hindrance::Kept(error.to_string()))),
        Err(error) => Err(error),
    }
}
