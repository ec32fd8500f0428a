//! The data of a run: its splits, classes and loaders.

mod open;
mod summary;

use super::config::{DataConfig, LoadingConfig, OnError, SamplesConfig};
use super::dataset::{Dataset, Delivery, Pass};
use super::defaults::InputDefaults;
use super::error::first_names;
use super::fingerprint::{Fingerprint, Fingerprints};
use super::loader::{Loader, Walk, workers};
use super::samples::{self, Opened, Samples};
use super::share::Share;
use super::split::{SplitBy, split};
use super::validation::FurtherSet;
use super::{Batch, DataError};
use crate::Look;
use std::collections::BTreeMap;
use std::sync::Arc;

use open::open_splits;
pub use summary::{SplitSummary, Summary};

/// A part of the data with its own purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// Trains the model: shuffled and augmented as configured.
    Train,
    /// Measures it: always in the same order, never augmented.
    Val,
}

/// Why a sample has other inputs from epoch to epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Varies {
    /// `[data] augment` draws them anew.
    Augmented,
    /// Texts are padded to the longest of their batch.
    Padded,
}

/// Most batches of an epoch, per split; None for all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Training batches.
    pub train: Option<usize>,
    /// Validation batches.
    pub val: Option<usize>,
}

/// Opened data: one dataset per split, and how to walk through them.
pub struct DataModule {
    kind: String,
    loading: LoadingConfig,
    seed: u64,
    split_by: SplitBy,
    limits: Limits,
    share: Share,
    delivery: Delivery,
    fingerprints: Fingerprints,
    train: Arc<dyn Dataset>,
    val: Option<Arc<dyn Dataset>>,
    /// Validation sets beside `val`.
    further: Vec<Arc<FurtherSet>>,
    /// Where the samples come from, if not from here.
    samples: Option<Arc<dyn Samples>>,
    /// What becomes of pictures that cannot be read.
    on_error: OnError,
}

type Splits = (Arc<dyn Dataset>, Option<Arc<dyn Dataset>>);

impl DataModule {
    /// Opens the data that the config names: paths, labels and rows are checked now, pictures when they are
    /// met.
    ///
    /// `seed` is the run's; `defaults` is what the model says about its inputs.
    pub fn open(config: &DataConfig, seed: u64, defaults: &InputDefaults) -> Result<DataModule, DataError> {
        DataModule::open_split_by(config, seed, defaults, SplitBy::default())
    }

    /// The same with the rule of a checkpoint for `val_split`, so that its run keeps its split.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_split_by(
        config: &DataConfig,
        seed: u64,
        defaults: &InputDefaults,
        split_by: SplitBy,
    ) -> Result<DataModule, DataError> {
        let splits = open_splits(config, defaults)?;
        let mut module =
            DataModule::of_splits(config.kind().to_owned(), splits, &config.loading, seed, split_by)?;
        module.on_error = config.images.on_error;
        module.further = FurtherSet::open_all(config, module.class_names(), defaults)?;
        let named = module.further.iter().map(|set| (set.name().to_owned(), set.fingerprint()));
        module.fingerprints.sets = named.collect();
        if module.val.is_none()
            && let Some(set) = module.further.first()
        {
            let (key, found) =
                (format!("validation.{}", set.name()), "there without validation data beside it");
            return Err(DataError::value(&key, found, "the first set as `val_path`, or a `val_split`"));
        }
        Ok(module)
    }

    /// Opens data from elsewhere: its first samples are looked at now, the others when they are met.
    ///
    /// # Errors
    /// There is no `train` split, samples are not what they were declared to be, or a key does not fit them.
    pub fn of_samples(
        samples: Box<dyn Samples>,
        config: &SamplesConfig,
        seed: u64,
        defaults: &InputDefaults,
    ) -> Result<DataModule, DataError> {
        DataModule::of_shared_samples(Arc::from(samples), config, seed, defaults)
    }

    /// The same for samples that others hold, too.
    ///
    /// # Errors
    /// As [`of_samples`](Self::of_samples).
    pub fn of_shared_samples(
        samples: Arc<dyn Samples>,
        config: &SamplesConfig,
        seed: u64,
        defaults: &InputDefaults,
    ) -> Result<DataModule, DataError> {
        let Opened { train, val } = samples::open_splits(&samples, config, defaults)?;
        let (kind, split_by) = (samples.name(), SplitBy::default());
        let module = DataModule::of_splits(kind, (train, val), &config.loading, seed, split_by)?;
        Ok(DataModule { samples: Some(samples), ..module })
    }

    /// Splits validation off where that is wanted, and checks that there is something to train on.
    fn of_splits(
        kind: String,
        (train, val): Splits,
        loading: &LoadingConfig,
        seed: u64,
        split_by: SplitBy,
    ) -> Result<DataModule, DataError> {
        let fingerprints = Fingerprints {
            train: Fingerprint::of(train.as_ref()),
            val: val.as_deref().map(Fingerprint::of),
            sets: BTreeMap::new(),
        };
        let (train, val) = match loading.val_split {
            Some(share) => {
                let (train, val) = split(train, share, loading.split_seed, &split_by)?;
                (train, Some(val))
            }
            None => (train, val),
        };
        let loading = loading.clone();
        check_whole_batch(&loading, train.len(), loading.batch_size)?;
        let (limits, share) = (Limits::default(), Share::WHOLE);
        Ok(DataModule {
            kind,
            loading,
            seed,
            split_by,
            limits,
            share,
            delivery: Delivery::Cpu,
            fingerprints,
            train,
            val,
            further: Vec::new(),
            samples: None,
            on_error: OnError::Fail,
        })
    }

    /// What data from elsewhere wants to have in checkpoints; null for nothing.
    ///
    /// # Errors
    /// It cannot say.
    pub fn state(&self) -> Result<serde_json::Value, DataError> {
        let Some(samples) = &self.samples else { return Ok(serde_json::Value::Null) };
        samples.state().map_err(|error| DataError::Samples { name: samples.name(), error })
    }

    /// The samples of a split; None if there is no validation data.
    pub fn dataset(&self, split: Split) -> Option<&Arc<dyn Dataset>> {
        match split {
            Split::Train => Some(&self.train),
            Split::Val => self.val.as_ref(),
        }
    }

    /// Validation sets beside the main one, in the order of their names.
    pub fn further_sets(&self) -> &[Arc<FurtherSet>] {
        &self.further
    }

    /// Sets how many batches of each split will be asked for. A split that is not shuffled then gives those
    /// of its first samples, whatever their lengths.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Gives this process a share of each batch from here on. Batches are those of all processes together: as
    /// many times larger as there are processes.
    ///
    /// # Errors
    /// `drop_last` leaves no batch of that size.
    pub fn share(&mut self, share: Share) -> Result<(), DataError> {
        self.share = share;
        for set in &mut self.further {
            let name = set.name().to_owned();
            let held = || DataError::Worker(format!("validation set {name} is walked through already"));
            Arc::get_mut(set).ok_or_else(held)?.share(share);
        }
        check_whole_batch(&self.loading, self.train.len(), self.batch_size(Split::Train))
    }

    /// Says what the batches of the splits are made for; those of validation sets beside the main one are the
    /// CPU's.
    pub fn deliver(&mut self, delivery: Delivery) {
        self.delivery = delivery;
    }

    /// The share of each batch that this process makes.
    pub fn shared(&self) -> Share {
        self.share
    }

    /// Gives the training samples in their own order from here on, in every epoch.
    pub fn keep_order(&mut self) {
        self.loading.shuffle = false;
    }

    /// What a `val_split` of this data is drawn from; checkpoints keep it.
    pub fn split_by(&self) -> &SplitBy {
        &self.split_by
    }

    /// What tells this data from other data; checkpoints keep it.
    pub fn fingerprints(&self) -> &Fingerprints {
        &self.fingerprints
    }

    /// The run's seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Number of samples; 0 without validation data.
    pub fn samples(&self, split: Split) -> usize {
        self.dataset(split).map_or(0, |dataset| dataset.len())
    }

    /// Samples per batch, those of all processes together.
    pub fn batch_size(&self, split: Split) -> usize {
        let of_process = match split {
            Split::Train => self.loading.batch_size,
            Split::Val => self.loading.val_batch_size.unwrap_or(self.loading.batch_size),
        };
        of_process * self.share.processes()
    }

    /// Batches per epoch.
    pub fn batches(&self, split: Split) -> usize {
        let (samples, size) = (self.samples(split), self.batch_size(split));
        if split == Split::Train && self.loading.drop_last { samples / size } else { samples.div_ceil(size) }
    }

    /// Class names in the order of their indices; empty if the target is no class.
    pub fn class_names(&self) -> &[String] {
        self.train.class_names()
    }

    /// How many labels a training sample may have, known before it is read: the columns of a tensor file's
    /// target.
    pub fn labels_per_sample(&self) -> Option<usize> {
        self.train.labels_of(0).map(|labels| labels.len())
    }

    /// How often each label is there among the training samples, of which each may have several; a target
    /// between 0 and 1 counts in part. None where that is known only with the samples.
    pub fn label_counts(&self) -> Option<Vec<f64>> {
        let mut counts: Vec<f64> = Vec::new();
        for index in 0..self.train.len() {
            let labels = self.train.labels_of(index)?;
            counts.resize(labels.len().max(counts.len()), 0.0);
            counts.iter_mut().zip(labels).for_each(|(count, label)| *count += f64::from(label));
        }
        Some(counts)
    }

    /// Refuses data with more classes than the model has, and warns of fewer.
    ///
    /// # Errors
    /// More classes than the model has.
    pub fn check_num_classes(&self, num_classes: usize) -> Result<(), DataError> {
        let names = self.class_names();
        if names.len() > num_classes {
            return Err(DataError::TooManyClasses {
                found: names.len(),
                expected: num_classes,
                names: first_names(names, 12),
            });
        }
        if !names.is_empty() && names.len() < num_classes {
            tracing::warn!(
                "the model has {num_classes} classes, the data only {}: {}",
                names.len(),
                first_names(names, 12)
            );
        }
        Ok(())
    }

    /// What a sample is called: path of the picture or number of the row.
    pub fn id(&self, split: Split, index: usize) -> String {
        self.dataset(split).map_or(String::new(), |d| d.id(index))
    }

    /// The same wherever the data lies: relative to its root.
    pub fn identity(&self, split: Split, index: usize) -> String {
        self.dataset(split).map_or(String::new(), |dataset| dataset.identity(index))
    }

    /// A sample for people to look at; None where there is nothing to see.
    pub fn look(&self, split: Split, index: usize) -> Option<Look> {
        self.dataset(split).and_then(|dataset| dataset.look(index))
    }

    /// True if a sample of the split has the same input in every epoch, so that what is computed from it
    /// alone may be kept.
    pub fn fixed_inputs(&self, split: Split) -> bool {
        let pass = self.pass(split, 0);
        self.dataset(split).is_some_and(|d| d.fixed_inputs(&pass))
    }

    /// Why a sample of the split has other inputs from epoch to epoch; None where it has not.
    pub fn varies(&self, split: Split) -> Option<Varies> {
        if self.fixed_inputs(split) || self.views(split).is_some() {
            return None;
        }
        let still = Pass { augment: false, ..self.pass(split, 0) };
        let is_fixed_so = self.dataset(split).is_some_and(|dataset| dataset.fixed_inputs(&still));
        Some(if is_fixed_so { Varies::Augmented } else { Varies::Padded })
    }

    /// How many augmented views of a sample the epochs of a split take turns with; None where a sample has
    /// the same input in all of them, or another one in each.
    pub fn views(&self, split: Split) -> Option<u64> {
        self.dataset(split).filter(|_| split == Split::Train).and_then(|dataset| dataset.views())
    }

    /// Pictures that could not be read so far, by id (`on_error = "skip"`).
    pub fn skipped(&self) -> Vec<String> {
        let mut skipped = self.train.skipped();
        skipped.extend(self.val.iter().flat_map(|val| val.skipped()));
        skipped.extend(self.further.iter().flat_map(|set| set.data().skipped()));
        skipped.sort();
        skipped.dedup();
        skipped
    }

    /// Walks through an epoch of a split from its batch `start_batch` on; without validation data, through
    /// nothing.
    pub fn loader(&self, split: Split, epoch: u64, start_batch: usize) -> Result<Option<Loader>, DataError> {
        let Some(dataset) = self.dataset(split) else { return Ok(None) };
        self.loader_of(dataset, split, epoch, start_batch).map(Some)
    }

    /// The same with what stands in for the split's samples: as many, and the same by number.
    ///
    /// # Errors
    /// As [`loader`](Self::loader).
    pub fn loader_of(
        &self,
        stand_in: &Arc<dyn Dataset>,
        split: Split,
        epoch: u64,
        start_batch: usize,
    ) -> Result<Loader, DataError> {
        let limit = if split == Split::Train { self.limits.train } else { self.limits.val };
        self.limited_loader(stand_in, split, (epoch, start_batch), limit)
    }

    /// Walks once through all samples of a split by their numbers; without augmentation, or in one of its
    /// [`views`](Self::views). Of several processes, each walks through its share of every batch.
    ///
    /// # Errors
    /// As [`loader`](Self::loader).
    pub fn in_order(&self, split: Split, view: Option<u64>) -> Result<Option<Loader>, DataError> {
        let Some(dataset) = self.dataset(split) else { return Ok(None) };
        let walk = Walk {
            pass: Pass { view: view.unwrap_or(0), augment: view.is_some(), ..self.pass(split, 0) },
            batch_size: self.batch_size(split),
            shuffle: false,
            by_length: false,
            drop_last: false,
            workers: workers(self.loading.workers, dataset.as_ref(), self.delivery),
            prefetch_mib: self.loading.prefetch_mib,
            start_batch: 0,
            limit: None,
        };
        Loader::of_share(Arc::clone(dataset), walk, self.share).map(Some)
    }

    /// Samples of a split as an epoch has them.
    ///
    /// # Errors
    /// They cannot be read, or there is no such split.
    pub fn batch(&self, split: Split, epoch: u64, indices: &[usize]) -> Result<Batch, DataError> {
        let dataset = self.dataset(split).ok_or_else(|| DataError::Worker("no such split".to_owned()))?;
        dataset.batch(indices, &self.pass(split, epoch))
    }

    /// Walks through so many batches of validation. Of texts, which are sorted by length, these are the first
    /// of the file, as under a limit, and not the shortest.
    pub fn first_of_validation(&self, epoch: u64, batches: usize) -> Result<Option<Loader>, DataError> {
        let Some(dataset) = self.dataset(Split::Val) else { return Ok(None) };
        self.first_of_validation_of(dataset, epoch, batches).map(Some)
    }

    /// The same with what stands in for the samples of validation.
    ///
    /// # Errors
    /// As [`loader`](Self::loader).
    pub fn first_of_validation_of(
        &self,
        stand_in: &Arc<dyn Dataset>,
        epoch: u64,
        batches: usize,
    ) -> Result<Loader, DataError> {
        self.limited_loader(stand_in, Split::Val, (epoch, 0), Some(batches))
    }

    fn limited_loader(
        &self,
        dataset: &Arc<dyn Dataset>,
        split: Split,
        (epoch, start_batch): (u64, usize),
        limit: Option<usize>,
    ) -> Result<Loader, DataError> {
        let train = split == Split::Train;
        let walk = Walk {
            pass: self.pass(split, epoch),
            batch_size: self.batch_size(split),
            shuffle: train && self.loading.shuffle,
            by_length: true,
            drop_last: train && self.loading.drop_last,
            workers: workers(self.loading.workers, dataset.as_ref(), self.delivery),
            prefetch_mib: self.loading.prefetch_mib,
            start_batch,
            limit,
        };
        Loader::of_share(Arc::clone(dataset), walk, self.share)
    }

    fn pass(&self, split: Split, epoch: u64) -> Pass {
        let view = self.views(split).map_or(epoch, |views| epoch % views);
        Pass { seed: self.seed, epoch, view, augment: split == Split::Train, delivery: self.delivery }
    }

    /// What there is, for the head of a run.
    pub fn summary(&self) -> Summary {
        let count = |dataset: &Arc<dyn Dataset>| {
            let mut per_class = vec![0; dataset.class_names().len()];
            for index in 0..dataset.len() {
                match dataset.class_of(index) {
                    Some(class) => per_class.iter_mut().skip(class).take(1).for_each(|count| *count += 1),
                    None => per_class.clear(),
                }
            }
            SplitSummary { samples: dataset.len(), per_class }
        };
        Summary {
            kind: self.kind.clone(),
            input: self.train.input_shape(),
            classes: self.class_names().to_vec(),
            train: count(&self.train),
            val: self.val.as_ref().map(count),
            further: self.further.iter().map(|set| (set.name().to_owned(), set.data().len())).collect(),
            on_error: self.on_error,
        }
    }
}

/// Refuses `drop_last` where it would leave nothing.
fn check_whole_batch(loading: &LoadingConfig, samples: usize, batch_size: usize) -> Result<(), DataError> {
    if !loading.drop_last || samples >= batch_size {
        return Ok(());
    }
    Err(DataError::value(
        "drop_last",
        format!("{samples} training samples"),
        format!("at least one batch of {batch_size} (lower batch_size)"),
    ))
}

#[cfg(test)]
mod tests;
