//! The samples of one split.

use super::random::{CounterRng, Stream};
use super::stamps::FileStamps;
use super::{Batch, DataError, Look};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thaw_torch::buffers::Place;

/// For which pass over the data a batch is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// The run's seed.
    pub seed: u64,
    /// Epoch, from 0.
    pub epoch: u64,
    /// What augmentation is drawn for: the epoch, or which of a fixed number of views.
    pub view: u64,
    /// True in training: random augmentation. False: the same input for a sample every time.
    pub augment: bool,
    /// Where the batch goes.
    pub delivery: Delivery,
}

/// What a batch is made for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// A step on the CPU: inputs are as the model takes them.
    #[default]
    Cpu,
    /// Another device: tensors lie where it reads them from, and what is bytes travels as bytes, to be
    /// [finished](Batch::finish) there.
    Device(Place),
}

impl Delivery {
    /// Where tensors of such a batch lie.
    pub(crate) fn place(self) -> Place {
        match self {
            Delivery::Cpu => Place::Memory,
            Delivery::Device(place) => place,
        }
    }
}

impl Pass {
    /// The random numbers that augment a sample in this pass.
    pub(crate) fn sample_rng(&self, sample: usize) -> CounterRng {
        CounterRng::new(&[self.seed, Stream::Augment as u64, self.view, sample as u64])
    }
}

/// Samples by index, made into batches on any thread.
pub trait Dataset: Send + Sync {
    /// Number of samples.
    fn len(&self) -> usize;

    /// True if there is no sample; a split that is opened never is.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Class names in the order of their indices; empty if the target is no class.
    fn class_names(&self) -> &[String];

    /// Class of a sample; None without classes.
    fn class_of(&self, index: usize) -> Option<usize>;

    /// The sample's target where it may have several labels: a number for each of them. None where samples
    /// have no such target, or it is known only with the sample.
    fn labels_of(&self, _index: usize) -> Option<Vec<f32>> {
        None
    }

    /// What the sample is called: the picture's path, or the number of the row, from 0.
    fn id(&self, index: usize) -> String;

    /// What tells the sample from all others wherever the data lies and however its path is spelled: the
    /// picture's path relative to the data's root, with `/` between folders, or the number of the row.
    fn identity(&self, index: usize) -> String {
        self.id(index)
    }

    /// The sample's path as it was once spelled, under a root that was spelled `root`; see
    /// [`SplitBy::SpelledPath`](super::SplitBy). Rows have no path.
    fn spelled(&self, index: usize, _root: &Path) -> String {
        self.id(index)
    }

    /// Shape of one sample's inputs, for people.
    fn input_shape(&self) -> String;

    /// Makes the batch of these samples. `position` is left 0, the loader sets it. The result depends on the
    /// arguments alone, except that pictures which cannot be read are left out under `on_error = "skip"`.
    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError>;

    /// About how long a sample is, for batches of similar length; None where all are alike.
    fn length_of(&self, _index: usize) -> Option<usize> {
        None
    }

    /// True if a sample has the same input in every pass, augmentation included: what is computed from it
    /// alone may be kept.
    fn fixed_inputs(&self, pass: &Pass) -> bool;

    /// How many augmented views of a sample there are, where that is a fixed number.
    fn views(&self) -> Option<u64> {
        None
    }

    /// The files that the samples come from, as far as they are known one by one.
    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// True if a batch is made so quickly that threads would only add to it.
    fn in_memory(&self) -> bool {
        false
    }

    /// The sample for people to look at, without augmentation; None where there is nothing to see, or where
    /// it cannot be read.
    fn look(&self, _index: usize) -> Option<Look> {
        None
    }

    /// Sizes and times of the files that the samples come from; nothing where there are none.
    fn stamps(&self) -> FileStamps {
        FileStamps::default()
    }

    /// Pictures that could not be read so far, by id.
    fn skipped(&self) -> Vec<String> {
        Vec::new()
    }
}

/// Some samples of a dataset, as a dataset.
pub(crate) struct Subset {
    pub(super) inner: Arc<dyn Dataset>,
    pub(super) indices: Vec<usize>,
}

impl Dataset for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }
    fn class_names(&self) -> &[String] {
        self.inner.class_names()
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        self.inner.class_of(self.indices[index])
    }
    fn labels_of(&self, index: usize) -> Option<Vec<f32>> {
        self.inner.labels_of(self.indices[index])
    }
    fn id(&self, index: usize) -> String {
        self.inner.id(self.indices[index])
    }
    fn identity(&self, index: usize) -> String {
        self.inner.identity(self.indices[index])
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        self.inner.spelled(self.indices[index], root)
    }
    fn input_shape(&self) -> String {
        self.inner.input_shape()
    }
    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError> {
        let mapped: Vec<usize> = indices.iter().map(|&i| self.indices[i]).collect();
        let mut batch = self.inner.batch(&mapped, pass)?;
        let mut kept = batch.indices.iter().peekable();
        let own = indices
            .iter()
            .zip(&mapped)
            .filter(|&(_, inner)| kept.next_if_eq(&inner).is_some())
            .map(|(&own, _)| own)
            .collect();
        batch.indices = own;
        Ok(batch)
    }
    fn length_of(&self, index: usize) -> Option<usize> {
        self.inner.length_of(self.indices[index])
    }
    fn fixed_inputs(&self, pass: &Pass) -> bool {
        self.inner.fixed_inputs(pass)
    }
    fn views(&self) -> Option<u64> {
        self.inner.views()
    }
    fn files(&self) -> Vec<PathBuf> {
        self.inner.files()
    }
    fn in_memory(&self) -> bool {
        self.inner.in_memory()
    }
    fn look(&self, index: usize) -> Option<Look> {
        self.inner.look(self.indices[index])
    }
    fn stamps(&self) -> FileStamps {
        self.inner.stamps()
    }
    fn skipped(&self) -> Vec<String> {
        self.inner.skipped()
    }
}
