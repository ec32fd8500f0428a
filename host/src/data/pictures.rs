//! Pictures as a dataset, wherever they come from.

use super::DataError;
use super::batch::{Batch, PICTURE_INPUT, fill_rows};
use super::config::{ImageConfig, OnError};
use super::dataset::{Dataset, Pass};
use super::defaults::InputDefaults;
use super::image::{Picture, Transform, decode};
use super::split::{identity_of, relative_to};
use super::targets::Targets;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

/// Undecoded or packed pictures by number.
pub(crate) trait PictureStore: Send + Sync {
    /// Number of pictures.
    fn len(&self) -> usize;
    /// Decodes one, of at most so many pixels.
    fn picture(&self, index: usize, max_pixels: u64) -> Result<Picture, DataError>;
    /// The picture's path, for packed files with its number.
    fn id(&self, index: usize) -> String;
    /// See [`Dataset::identity`].
    fn identity(&self, index: usize) -> String;
    /// See [`Dataset::spelled`].
    fn spelled(&self, index: usize, root: &Path) -> String;
    /// True if a decoded picture is not worth keeping.
    fn is_decoded(&self) -> bool;
}

/// Picture files, decoded when they are needed.
#[derive(Default)]
pub(crate) struct PictureFiles {
    /// Where relative paths start.
    root: PathBuf,
    /// Each picture's path, as written.
    written: Vec<PathBuf>,
    /// The names of those whose path, as written, is not its own name relative to the root.
    others: BTreeMap<usize, String>,
}

impl PictureFiles {
    /// No pictures yet; the paths to come start at `root`.
    pub(crate) fn below(root: &Path) -> PictureFiles {
        PictureFiles { root: root.to_path_buf(), ..PictureFiles::default() }
    }

    /// Adds a picture by its path, relative to the root or absolute.
    pub(crate) fn push(&mut self, written: PathBuf) {
        let mut name = identity_of(&written);
        if written.is_absolute() || name.starts_with("..") {
            name = self.name_from_outside(&written);
        }
        if written.to_str() != Some(&name) {
            self.others.insert(self.written.len(), name);
        }
        self.written.push(written);
    }

    /// The name of a picture whose path does not start below the root: it may lead there all the same.
    fn name_from_outside(&self, written: &Path) -> String {
        let here = if self.root.as_os_str().is_empty() { Path::new(".") } else { &self.root };
        if let Ok(relative) = std::path::absolute(here).as_deref().map(|root| written.strip_prefix(root))
            && let Ok(relative) = relative
        {
            return identity_of(relative);
        }
        // Both sides without links, so that it does not matter by which way either was reached.
        let canonical = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let root = canonical(here);
        let file = if written.is_absolute() {
            canonical(written.parent().unwrap_or(written)).join(written.file_name().unwrap_or_default())
        } else {
            Path::new("/").join(identity_of(&root.join(written)))
        };
        identity_of(&relative_to(&root, &file))
    }

    /// Number of pictures.
    pub(crate) fn count(&self) -> usize {
        self.written.len()
    }

    fn path(&self, index: usize) -> PathBuf {
        self.root.join(&self.written[index])
    }
}

impl PictureStore for PictureFiles {
    fn len(&self) -> usize {
        self.written.len()
    }
    fn picture(&self, index: usize, max_pixels: u64) -> Result<Picture, DataError> {
        let path = self.path(index);
        let found = match std::fs::read(&path) {
            Ok(bytes) => match decode(&bytes, max_pixels) {
                Ok(picture) => return Ok(picture),
                Err(found) => found,
            },
            Err(error) => error.to_string(),
        };
        Err(DataError::Picture { path, found })
    }
    fn id(&self, index: usize) -> String {
        self.path(index).display().to_string()
    }
    fn identity(&self, index: usize) -> String {
        let other = self.others.get(&index).cloned();
        other.unwrap_or_else(|| self.written[index].display().to_string())
    }
    fn spelled(&self, index: usize, root: &Path) -> String {
        root.join(&self.written[index]).display().to_string()
    }
    fn is_decoded(&self) -> bool {
        false
    }
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
}

impl PictureDataset {
    pub(crate) fn new(
        store: Box<dyn PictureStore>,
        targets: Targets,
        config: &ImageConfig,
        defaults: &InputDefaults,
    ) -> PictureDataset {
        let limit = if config.cache { config.cache_mib.saturating_mul(1 << 20) } else { 0 };
        PictureDataset {
            cache: Cache::new(store.len(), limit, !store.is_decoded()),
            store,
            targets,
            transform: Transform::new(config, defaults),
            on_error: config.on_error,
            max_pixels: config.max_pixels,
            skipped: Mutex::default(),
        }
    }

    /// The input pixels of a picture, from the cache where they or the decoded picture are in it.
    fn pixels(&self, index: usize, pass: &Pass) -> Result<Cow<'_, [u8]>, DataError> {
        let fixed = self.fixed_inputs(pass);
        if fixed && let Some(pixels) = self.cache.finished(index) {
            return Ok(Cow::Borrowed(pixels));
        }
        let picture = match self.cache.decoded(index) {
            Some(picture) => Cow::Borrowed(picture),
            None => Cow::Owned(self.store.picture(index, self.max_pixels)?),
        };
        let mut rng = (!fixed).then(|| pass.sample_rng(index));
        let pixels = self
            .transform
            .pixels(&picture, rng.as_mut())
            .map_err(|found| DataError::Picture { path: PathBuf::from(self.store.id(index)), found })?;
        if fixed {
            self.cache.keep_finished(index, &pixels);
        } else if let Cow::Owned(picture) = picture {
            self.cache.keep_decoded(index, picture);
        }
        Ok(Cow::Owned(pixels))
    }

    /// Notes a picture that is left out; says so the first time.
    fn skip(&self, index: usize, error: &DataError) {
        let mut skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        if skipped.insert(index) {
            tracing::warn!("left out: {error}");
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
                Err(error) if self.on_error == OnError::Skip => {
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
    fn skipped(&self) -> Vec<String> {
        let skipped = self.skipped.lock().unwrap_or_else(PoisonError::into_inner);
        skipped.iter().map(|&index| self.id(index)).collect()
    }
}

/// Small pictures kept in memory until the limit is reached; nothing is ever thrown out, as every epoch
/// visits all.
struct Cache {
    slots: Vec<Slot>,
    left: AtomicUsize,
    keeps_decoded: bool,
}

#[derive(Default)]
struct Slot {
    decoded: OnceLock<Picture>,
    finished: OnceLock<Box<[u8]>>,
}

/// Larger pictures would fill the cache with few of them.
const MAX_CACHED_BYTES: usize = 1 << 20;

impl Cache {
    fn new(pictures: usize, limit: usize, keeps_decoded: bool) -> Cache {
        let slots = if limit == 0 { 0 } else { pictures };
        Cache {
            slots: (0..slots).map(|_| Slot::default()).collect(),
            left: AtomicUsize::new(limit),
            keeps_decoded,
        }
    }

    fn decoded(&self, index: usize) -> Option<&Picture> {
        self.slots.get(index)?.decoded.get()
    }

    fn finished(&self, index: usize) -> Option<&[u8]> {
        self.slots.get(index)?.finished.get().map(|p| &**p)
    }

    fn keep_decoded(&self, index: usize, picture: Picture) {
        if let Some(slot) = self.slots.get(index)
            && self.keeps_decoded
            && self.take(picture.pixels.len())
        {
            let _ = slot.decoded.set(picture);
        }
    }

    fn keep_finished(&self, index: usize, pixels: &[u8]) {
        if let Some(slot) = self.slots.get(index)
            && self.take(pixels.len())
        {
            let _ = slot.finished.set(pixels.into());
        }
    }

    /// Reserves memory, if there is any left.
    fn take(&self, bytes: usize) -> bool {
        bytes <= MAX_CACHED_BYTES
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes))
                .is_ok()
    }
}
