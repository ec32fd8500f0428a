//! Samples that are pictures.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use thaw_plugin_api::Error;
use thaw_plugin_api::dataset::{Input, Picture as Given};

use super::{Source, of_source};
use crate::config::ImageConfig;
use crate::dataset::{Dataset, Pass};
use crate::defaults::InputDefaults;
use crate::image::{Picture, Reduction, decode_reduced};
use crate::pictures::{PictureDataset, PictureStore};
use crate::stamps::FileStamps;
use crate::targets::Targets;
use crate::{Batch, DataError};

/// Pictures, prepared as those of files are; targets come with them.
pub(super) struct PictureSamples {
    source: Arc<Source>,
    pictures: PictureDataset,
}

impl PictureSamples {
    pub(super) fn new(source: Arc<Source>, images: &ImageConfig, defaults: &InputDefaults) -> Self {
        let store = Box::new(Store { source: Arc::clone(&source) });
        Self { source, pictures: PictureDataset::new(store, Targets::None, images, defaults) }
    }
}

impl Dataset for PictureSamples {
    of_source!();

    fn input_shape(&self) -> String {
        self.pictures.input_shape()
    }

    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError> {
        let batch = self.pictures.batch(indices, pass)?;
        let targets = batch.indices.iter().map(|&index| self.source.target(index));
        let targets = self.source.tensor(targets.collect::<Result<_, _>>()?)?;
        Ok(Batch { targets, ..batch })
    }

    fn fixed_inputs(&self, pass: &Pass) -> bool {
        self.pictures.fixed_inputs(pass)
    }

    fn views(&self) -> Option<u64> {
        self.pictures.views()
    }

    fn skipped(&self) -> Vec<String> {
        self.pictures.skipped()
    }
}

struct Store {
    source: Arc<Source>,
}

impl PictureStore for Store {
    fn len(&self) -> usize {
        self.source.len()
    }

    fn picture(&self, index: usize, max_pixels: u64) -> Result<Picture, DataError> {
        self.reduced(index, max_pixels, &mut |_, _| 1)
    }

    fn reduced(&self, index: usize, max_pixels: u64, by: &mut Reduction<'_>) -> Result<Picture, DataError> {
        let (input, target) = self.source.input(index)?;
        if let Some(target) = target {
            self.source.note(index, target);
        }
        let unreadable = |found| DataError::Picture { path: self.id(index).into(), found };
        match input {
            Input::Picture(Given::Encoded(file)) => decode_reduced(&file, max_pixels, by).map_err(unreadable),
            Input::Picture(Given::Pixels { width, height, channels, levels }) => {
                rgb(width, height, channels, levels).map_err(|error| self.source.error(index, error))
            }
            _ => Err(self.source.error(index, Error::new("found no picture"))),
        }
    }

    fn id(&self, index: usize) -> String {
        self.source.identity(index)
    }

    fn identity(&self, index: usize) -> String {
        self.source.identity(index)
    }

    fn spelled(&self, index: usize, _root: &Path) -> String {
        self.source.identity(index)
    }

    fn stamps(&self) -> FileStamps {
        // Where samples come from, only their author knows.
        FileStamps::default()
    }

    fn files(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn is_decoded(&self) -> bool {
        self.source.in_memory()
    }
}

/// Pixels with three channels.
fn rgb(width: u32, height: u32, channels: u8, levels: Vec<u8>) -> thaw_plugin_api::Result<Picture> {
    let expected = u64::from(width) * u64::from(height) * u64::from(channels);
    if expected == 0 || levels.len() as u64 != expected {
        return Err(Error::new(format_args!(
            "found {} levels of a picture, expected {width} x {height} pixels of {channels} channels",
            levels.len()
        )));
    }
    let pixels = match channels {
        3 => levels,
        1 => levels.into_iter().flat_map(|level| [level; 3]).collect(),
        _ => {
            return Err(Error::new(format_args!(
                "found a picture of {channels} channels, expected 1 (grey) or 3 (red, green, blue)"
            )));
        }
    };
    Ok(Picture { width, height, pixels })
}
