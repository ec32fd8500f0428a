//! Pictures as a dataset, wherever they come from.

use super::DataError;
use super::batch::{Batch, PICTURE_INPUT, fill_rows};
use super::config::{ImageConfig, OnError};
use super::dataset::{Dataset, Pass};
use super::defaults::InputDefaults;
use super::image::{CropBox, Picture, Reduction, Transform};
use super::random::CounterRng;
use super::stamps::FileStamps;
use super::targets::Targets;
use crate::Look;
use cache::Cache;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

mod cache;
mod files;

pub(crate) use files::PictureFiles;

/// Undecoded or packed pictures by number.
pub(crate) trait PictureStore: Send + Sync {
    /// Number of pictures.
    fn len(&self) -> usize;
    /// Decodes one, of at most so many pixels.
    fn picture(&self, index: usize, max_pixels: u64) -> Result<Picture, DataError>;
    /// The same; a JPEG file with its sides divided.
    fn reduced(&self, index: usize, max_pixels: u64, _by: &mut Reduction<'_>) -> Result<Picture, DataError> {
        self.picture(index, max_pixels)
    }
    /// The picture's path, for packed files with its number.
    fn id(&self, index: usize) -> String;
    /// See [`Dataset::identity`].
    fn identity(&self, index: usize) -> String;
    /// See [`Dataset::spelled`].
    fn spelled(&self, index: usize, root: &Path) -> String;
    /// See [`Dataset::stamps`].
    fn stamps(&self) -> FileStamps;
    /// See [`Dataset::files`].
    fn files(&self) -> Vec<PathBuf>;
    /// True if a decoded picture is not worth keeping.
    fn is_decoded(&self) -> bool;
}

/// Pictures with their targets, resized, augmented and normalised.
pub(crate) struct PictureDataset {
    store: Box<dyn PictureStore>,
    targets: Targets,
    transform: Transform,
    on_error: OnError,
    max_pixels: u64,
    cache: Cache,
    skipped: Mutex<BTreeSet<usize>>,
    /// Paths of those that were left out when the data was opened, and have no number.
    left_out: Vec<String>,
}

impl PictureDataset {
    pub(crate) fn new(
        store: Box<dyn PictureStore>,
        targets: Targets,
        config: &ImageConfig,
        defaults: &InputDefaults,
    ) -> PictureDataset {
        let limit = if config.cache { config.cache_mib.saturating_mul(1 << 20) } else { 0 };
        let transform = Transform::new(config, defaults);
        // What part of its size a picture was decoded at, depends on what was to be cut out.
        let keeps_decoded = !store.is_decoded() && !transform.drafts();
        PictureDataset {
            cache: Cache::new(store.len(), limit, keeps_decoded),
            store,
            targets,
            transform,
            on_error: config.on_error,
            max_pixels: config.max_pixels,
            skipped: Mutex::default(),
            left_out: Vec::new(),
        }
    }

    /// The same, that tells of these paths among its skipped ones.
    pub(crate) fn without(self, left_out: Vec<String>) -> PictureDataset {
        PictureDataset { left_out, ..self }
    }

    /// The input pixels of a picture, from the cache where they or the decoded picture are in it.
    fn pixels(&self, index: usize, pass: &Pass) -> Result<Cow<'_, [u8]>, DataError> {
        let fixed = self.fixed_inputs(pass);
        if fixed && let Some(pixels) = self.cache.finished(index) {
            return Ok(Cow::Borrowed(pixels));
        }
        let mut rng = (!fixed).then(|| pass.sample_rng(index));
        let (picture, part) = self.picture_and_part(index, rng.as_mut())?;
        let pixels = self
            .transform
            .pixels(&picture, part, rng.as_mut())
            .map_err(|found| DataError::Picture { path: PathBuf::from(self.store.id(index)), found })?;
        if fixed {
            self.cache.keep_finished(index, &pixels);
        } else if let Cow::Owned(picture) = picture {
            self.cache.keep_decoded(index, picture);
        }
        Ok(Cow::Owned(pixels))
    }

    /// A picture, and the part of it that the model gets.
    fn picture_and_part(
        &self,
        index: usize,
        mut rng: Option<&mut CounterRng>,
    ) -> Result<(Cow<'_, Picture>, CropBox), DataError> {
        if let Some(picture) = self.cache.decoded(index) {
            return Ok((Cow::Borrowed(picture), self.transform.part(picture.width, picture.height, rng)));
        }
        if !self.transform.drafts() {
            let picture = self.store.picture(index, self.max_pixels)?;
            let part = self.transform.part(picture.width, picture.height, rng);
            return Ok((Cow::Owned(picture), part));
        }
        let mut asked = None;
        let mut by = |width: u32, height: u32| {
            let part = self.transform.part(width, height, rng.as_deref_mut());
            asked = Some((width, height, part));
            self.transform.reduction(&part)
        };
        let picture = self.store.reduced(index, self.max_pixels, &mut by)?;
        let part = match asked {
            Some((width, height, part)) => part.scaled((width, height), (picture.width, picture.height)),
            // No JPEG file.
            None => self.transform.part(picture.width, picture.height, rng),
        };
        Ok((Cow::Owned(picture), part))
    }

    /// Notes a picture that is left out; says so the first time.
    fn skip(&self, index: usize, error: &DataError) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        if skipped.insert(index) {
            tracing::warn!("left out: {}", error.of_left_out());
        }
    }
}

impl Dataset for PictureDataset {
    fn len(&self) -> usize {
        self.store.len()
    }
    fn class_names(&self) -> &[String] {
        self.targets.names()
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        self.targets.class_of(index)
    }
    fn labels_of(&self, index: usize) -> Option<Vec<f32>> {
        self.targets.labels_of(index)
    }
    fn id(&self, index: usize) -> String {
        self.store.id(index)
    }
    fn identity(&self, index: usize) -> String {
        self.store.identity(index)
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        self.store.spelled(index, root)
    }
    fn input_shape(&self) -> String {
        let size = self.transform.size();
        format!("{PICTURE_INPUT} 3x{size}x{size}")
    }
    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError> {
        let size = self.transform.size() as i64;
        let mut kept = Vec::with_capacity(indices.len());
        let pictures = fill_rows(indices.len(), &[3, size, size], |row, planes| {
            let index = indices[row];
            match self.pixels(index, pass) {
                Ok(pixels) => {
                    self.transform.normalise(&pixels, planes);
                    kept.push(index);
                    Ok(true)
                }
                Err(error) if self.on_error == OnError::Skip && error.is_of_picture() => {
                    self.skip(index, &error);
                    Ok(false)
                }
                Err(error) => Err(error),
            }
        })?;
        Ok(Batch {
            inputs: vec![(PICTURE_INPUT.to_string(), pictures)],
            targets: self.targets.tensor(&kept)?,
            indices: kept,
            position: 0,
        })
    }
    fn fixed_inputs(&self, pass: &Pass) -> bool {
        !(pass.augment && self.transform.augments())
    }
    fn views(&self) -> Option<u64> {
        self.transform.views()
    }
    fn look(&self, index: usize) -> Option<Look> {
        let decoded = self.cache.decoded(index).cloned();
        let picture = decoded.or_else(|| self.store.picture(index, self.max_pixels).ok())?;
        Look::of_pixels(picture.width, picture.height, picture.pixels)
    }
    fn stamps(&self) -> FileStamps {
        self.store.stamps()
    }
    fn files(&self) -> Vec<PathBuf> {
        self.store.files()
    }
    fn skipped(&self) -> Vec<String> {
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        let read = skipped.iter().map(|&index| self.id(index));
        self.left_out.iter().cloned().chain(read).collect()
    }
}
