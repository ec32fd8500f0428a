//! What a model gives for each sample, computed once: stands in for the samples' inputs.

use std::path::PathBuf;
use std::sync::Arc;

use tch::Tensor;
use thaw_torch::buffers::Buffers;

use super::dataset::{Dataset, Pass};
use super::stamps::FileStamps;
use super::{Batch, DataError};
use columns::Columns;
use rows::{Rows, RowsWriter};
use store::Writing;

mod claim;
mod columns;
mod entry;
mod folder;
mod rows;
mod store;
#[cfg(test)]
mod tests;

pub use claim::{Claim, Claimed};
pub use columns::FeatureKind;
pub use entry::About;
pub use folder::cache_folder;
pub use store::{FeatureStore, Found, StoredFeatures};

/// How much room features may take, and where.
#[derive(Debug, Clone)]
pub struct FeatureRoom {
    /// Bytes in memory; what needs more goes into a file as a whole.
    pub memory: u64,
    /// Bytes on disk.
    pub disk: u64,
    /// Folder of the file, made where it is missing.
    pub folder: PathBuf,
}

/// A dataset whose inputs are tensors that were computed of each sample, with the samples' targets. Samples
/// that could not be read are left out of its batches, as they are where they are read.
pub struct Features {
    of: Arc<dyn Dataset>,
    columns: Columns,
    rows: Rows,
    present: Vec<bool>,
    /// What batches were made in before.
    buffers: Buffers,
    /// The file that the rows lie in, where a store is to keep it.
    writing: Option<Writing>,
}

/// Gathers features, in the order of the samples.
pub struct FeaturesBuilder {
    of: Arc<dyn Dataset>,
    room: FeatureRoom,
    kept: FeatureKind,
    store: Option<FeatureStore>,
    begun: Option<(Columns, RowsWriter)>,
    present: Vec<bool>,
}

impl FeaturesBuilder {
    /// Features of the samples of a dataset, none of them computed yet.
    pub fn new(of: Arc<dyn Dataset>, room: FeatureRoom) -> FeaturesBuilder {
        let kept = FeatureKind::Full;
        FeaturesBuilder { of, room, kept, store: None, begun: None, present: Vec::new() }
    }

    /// Keeps them in these numbers.
    #[must_use]
    pub fn kept_as(self, kept: FeatureKind) -> FeaturesBuilder {
        FeaturesBuilder { kept, ..self }
    }

    /// What memory has no room for is written where this store will keep it.
    #[must_use]
    pub fn for_store(self, store: Option<FeatureStore>) -> FeaturesBuilder {
        FeaturesBuilder { store, ..self }
    }

    /// Takes the features of further samples; the first dimension of every tensor is the sample.
    ///
    /// # Errors
    /// Samples that do not come in their order, tensors that have another name, type or shape than those of
    /// the samples before, or no room: [`DataError::FeatureRoom`] says how much is needed.
    pub fn push(
        &mut self,
        indices: &[usize],
        features: &[(String, Tensor)],
        targets: Option<&Tensor>,
    ) -> Result<(), DataError> {
        if indices.first().is_some_and(|first| *first < self.present.len())
            || indices.windows(2).any(|pair| pair[1] <= pair[0])
            || indices.last().is_some_and(|last| *last >= self.of.len())
        {
            return Err(DataError::Features("samples come out of their order".to_owned()));
        }
        let columns = Columns::of(features, targets, indices.len(), self.kept)?;
        if self.begun.is_none() {
            let store = self.store.as_ref();
            let writer = RowsWriter::new(columns.row_bytes(), self.of.len(), &self.room, store)?;
            self.begun = Some((columns.clone(), writer));
        }
        let Some((known, writer)) = &mut self.begun else { return Ok(()) };
        known.require(&columns)?;
        let bytes = known.bytes(features, targets)?;
        for (position, &index) in indices.iter().enumerate() {
            while self.present.len() < index {
                writer.skip()?;
                self.present.push(false);
            }
            writer.row(&bytes, position)?;
            self.present.push(true);
        }
        Ok(())
    }

    /// All samples were seen; those that were not pushed could not be read.
    ///
    /// # Errors
    /// There is none, or the file cannot be finished.
    pub fn finish(mut self) -> Result<Features, DataError> {
        let Some((columns, mut writer)) = self.begun.take() else {
            return Err(DataError::Features("none of the samples can be read".to_owned()));
        };
        while self.present.len() < self.of.len() {
            writer.skip()?;
            self.present.push(false);
        }
        let (rows, writing) = writer.finish()?;
        let buffers = Buffers::default();
        Ok(Features { of: self.of, columns, rows, present: self.present, buffers, writing })
    }
}

impl Features {
    /// Bytes that they take.
    pub fn bytes(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Whether they lie in a file, and not in memory.
    pub fn is_on_disk(&self) -> bool {
        self.rows.is_on_disk()
    }
}

impl Dataset for Features {
    fn len(&self) -> usize {
        self.of.len()
    }
    fn class_names(&self) -> &[String] {
        self.of.class_names()
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        self.of.class_of(index)
    }
    fn id(&self, index: usize) -> String {
        self.of.id(index)
    }
    fn identity(&self, index: usize) -> String {
        self.of.identity(index)
    }
    fn input_shape(&self) -> String {
        self.columns.to_string()
    }
    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError> {
        let kept: Vec<usize> = indices.iter().copied().filter(|&index| self.present[index]).collect();
        let (inputs, targets) =
            self.columns.gather(&self.rows, &kept, (&self.buffers, pass.delivery.place()))?;
        Ok(Batch::new(inputs, targets, kept))
    }
    fn length_of(&self, index: usize) -> Option<usize> {
        self.of.length_of(index)
    }
    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        true
    }
    fn in_memory(&self) -> bool {
        // Pages of a file are read ahead by the system; what is copied is little.
        true
    }
    fn stamps(&self) -> FileStamps {
        self.of.stamps()
    }
    fn skipped(&self) -> Vec<String> {
        self.of.skipped()
    }
}
