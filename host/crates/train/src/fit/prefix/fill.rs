//! The pass that computes a prefix.

use std::sync::Arc;
use std::time::Instant;

use tch::Tensor;

use super::boundary::tensors_before;
use super::folder::cache_folder;
use super::shared::{Part, agreed, of_all};
use super::{Entries, Hindrance, Watch};
use crate::Error;
use crate::config::Audit;
use crate::fit::Fit;
use crate::fit::events::{CacheStart, EventKind};
use crate::fit::random::RandomStates;
use crate::fit::step::to_device;
use thaw_data::{DataError, FeatureRoom, Features, FeaturesBuilder, Split};
use thaw_torch::Autocast;

/// What came of an attempt: what is to go on with, or why not.
pub(super) type Tried<T> = Result<T, Hindrance>;

impl Fit {
    /// Computes what the stages before `cut` give for every sample of a split. Random numbers are afterwards
    /// as before.
    ///
    /// # Errors
    /// The data, the model or an observer fails, or the user ends the run.
    pub(super) fn fill(&mut self, split: Split, cut: usize) -> Result<Tried<Entries>, Error> {
        let start = Instant::now();
        let random = RandomStates::of(self.state.trained.model.device())?;
        let features = self.features(split, cut);
        random.put_back()?;
        let features = match features? {
            Ok(features) => features,
            Err(hindrance) => return Ok(Err(hindrance)),
        };
        let watch = self.state.watch_before(cut).with_values(self.state.unwatched())?;
        let stages = self.state.trained.model.stages();
        let after = stages[cut - 1].name.clone();
        let (stages, seconds) = (stages.len(), start.elapsed().as_secs_f64());
        let (bytes, is_on_disk) = (features.bytes(), features.is_on_disk());
        self.state.prefix.told_of_mut(split).clear();
        let start = CacheStart::Stage { after: &after, cut, stages, bytes, is_on_disk, seconds };
        self.tell(EventKind::FrozenCache { split, start })?;
        Ok(Ok(Entries { cut, features: Some(Arc::new(features)), watch }))
    }

    fn features(&mut self, split: Split, cut: usize) -> Result<Tried<Features>, Error> {
        let data = &self.state.data;
        let (Some(dataset), Some(loader)) = (data.dataset(split).cloned(), data.in_order(split)?) else {
            return Ok(Err(Hindrance::Kept("there are no samples".to_owned())));
        };
        let mut builder = FeaturesBuilder::new(dataset, self.state.room());
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
        let model = &mut self.state.trained.model;
        let _guard = tch::no_grad_guard();
        let _autocast = Autocast::of(self.state.config.trainer.precision, model.device())?;
        let outputs = model.run_stages(0, cut, batch.inputs)?.into_iter().collect();
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

    fn room(&self) -> FeatureRoom {
        let trainer = &self.config.trainer;
        FeatureRoom {
            memory: (trainer.cache_mib as u64).saturating_mul(1 << 20),
            disk: (trainer.cache_disk_gib as u64).saturating_mul(1 << 30),
            folder: cache_folder(),
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
