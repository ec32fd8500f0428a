//! Data from elsewhere: samples that a plugin gives, or the program that embeds this library.
//!
//! Whoever has data implements [`Samples`], by split and index; [`DataModule::of_samples`] does the rest as
//! for the kinds of data that this library reads itself: decoding and augmentation of pictures, tokenizing,
//! `val_split`, shuffling, batches, limits.
//!
//! ```
//! use thaw_plugin_api::dataset::{Array, Dtype, Form, Sample, Split};
//! # use thaw_data as data;
//! use data::{DataModule, InputDefaults, Samples, SamplesConfig};
//! # use thaw_plugin_api::Result;
//!
//! /// Points on a line, and whether they are right of the middle.
//! struct Points;
//!
//! impl Samples for Points {
//!     fn form(&self) -> Form {
//!         Form::array("x", Dtype::F32, [1])
//!     }
//!     fn class_names(&self) -> Vec<String> {
//!         vec!["left".into(), "right".into()]
//!     }
//!     fn len(&self, split: Split) -> Option<usize> {
//!         (split == Split::Train).then_some(100)
//!     }
//!     fn get(&self, _: Split, index: usize) -> Result<Sample> {
//!         let x = index as f32 / 100.0 - 0.5;
//!         Ok(Sample::array("x", Array::new([1], &[x])?).class(usize::from(x >= 0.0)))
//!     }
//! }
//!
//! let mut config = SamplesConfig::default();
//! config.loading.val_split = Some(0.2);
//! let data = DataModule::of_samples(Box::new(Points), &config, 42, &InputDefaults::default())?;
//! assert_eq!((data.samples(data::Split::Train), data.samples(data::Split::Val)), (80, 20));
//! # Ok::<(), data::DataError>(())
//! ```

use std::sync::Arc;

use serde_json::Value;
use thaw_plugin_api::dataset::{Form, Sample, Split, Target, restore, save};
use thaw_plugin_api::error::ErrorKind;
use thaw_plugin_api::{Error, Result};

use super::DataError;
use super::config::SamplesConfig;
use super::dataset::Dataset;
use super::defaults::InputDefaults;
use super::text::TextEncoder;

mod arrays;
mod pictures;
mod source;
mod targets;
mod texts;

pub(crate) use source::Source;

/// Samples by split and index. Called from several threads at once; the same index always gives the same
/// sample.
pub trait Samples: Send + Sync {
    /// What every sample is.
    fn form(&self) -> Form;

    /// Number of samples of a split, which stays as it is; none where there is no such split.
    fn len(&self, split: Split) -> Option<usize>;

    /// A sample.
    ///
    /// # Errors
    /// It cannot be read: the run ends.
    fn get(&self, split: Split, index: usize) -> Result<Sample>;

    /// What it is called in messages.
    fn name(&self) -> String {
        "the data set".to_owned()
    }

    /// Names of the classes, in the order of their indices; empty where targets are no classes.
    fn class_names(&self) -> Vec<String> {
        Vec::new()
    }

    /// The target alone, where it is known without the sample being read.
    ///
    /// # Errors
    /// As [`Samples::get`].
    fn target(&self, split: Split, index: usize) -> Result<Option<Target>> {
        let _ = (split, index);
        Ok(None)
    }

    /// About how long a text is, where that is known without reading it.
    fn length(&self, split: Split, index: usize) -> Option<usize> {
        let _ = (split, index);
        None
    }

    /// What tells a sample from all others of its split, wherever the data lies.
    fn identity(&self, split: Split, index: usize) -> String {
        let _ = split;
        index.to_string()
    }

    /// Whether samples lie in memory as they are needed: no threads read ahead then, unless that is asked
    /// for.
    fn in_memory(&self) -> bool {
        false
    }

    /// What goes into checkpoints; null for nothing.
    ///
    /// # Errors
    /// It cannot be had.
    fn state(&self) -> Result<Value> {
        Ok(Value::Null)
    }

    /// Restores what [`Samples::state`] gave, before anything else is asked.
    ///
    /// # Errors
    /// It does not fit; by default, always.
    fn load_state(&mut self, state: &Value) -> Result<()> {
        let _ = state;
        Err(Error::of(ErrorKind::State, format_args!("{} has no state to restore", self.name())))
    }
}

/// The splits that a run trains and validates on.
pub(crate) struct Opened {
    pub(crate) train: Arc<dyn Dataset>,
    pub(crate) val: Option<Arc<dyn Dataset>>,
}

/// Opens training and validation; a `val` of the samples' own stays unused where `val_split` is set.
pub(crate) fn open_splits(
    samples: &Arc<dyn Samples>,
    config: &SamplesConfig,
    defaults: &InputDefaults,
) -> Result<Opened, DataError> {
    let preparation = Preparation::new(samples, config, defaults)?;
    let train = preparation.open(samples, Split::Train, true)?;
    let has_val = config.loading.val_split.is_none() && samples.len(Split::Val).is_some();
    let val = has_val.then(|| preparation.open(samples, Split::Val, true)).transpose()?;
    Ok(Opened { train, val })
}

/// Opens one split, without its targets where nobody needs them.
pub(crate) fn open_split(
    samples: &Arc<dyn Samples>,
    split: Split,
    with_targets: bool,
    config: &SamplesConfig,
    defaults: &InputDefaults,
) -> Result<Arc<dyn Dataset>, DataError> {
    Preparation::new(samples, config, defaults)?.open(samples, split, with_targets)
}

/// What becomes of samples on their way into a batch; the same for all splits.
struct Preparation<'a> {
    config: &'a SamplesConfig,
    defaults: &'a InputDefaults,
    encoder: Option<Arc<TextEncoder>>,
}

impl<'a> Preparation<'a> {
    fn new(
        samples: &Arc<dyn Samples>,
        config: &'a SamplesConfig,
        defaults: &'a InputDefaults,
    ) -> Result<Self, DataError> {
        let encoder = match samples.form() {
            Form::Texts | Form::TextPairs => {
                let texts = config.texts.as_ref().ok_or_else(|| {
                    let expected = format!("a tokenizer.json: {} gives texts", samples.name());
                    DataError::value("tokenizer", "nothing", expected)
                })?;
                Some(Arc::new(TextEncoder::open(texts, defaults.max_length)?))
            }
            Form::Arrays(_) | Form::Pictures => None,
        };
        Ok(Self { config, defaults, encoder })
    }

    fn open(
        &self,
        samples: &Arc<dyn Samples>,
        split: Split,
        with_targets: bool,
    ) -> Result<Arc<dyn Dataset>, DataError> {
        let source = Source::open(samples, split, self.config.classes.as_deref(), with_targets)?;
        Ok(match (samples.form(), &self.encoder) {
            (Form::Arrays(forms), _) => {
                if self.defaults.are_of_pictures() {
                    arrays::check_pictures(&samples.name(), &forms)?;
                }
                Arc::new(arrays::ArrayDataset::new(source, forms))
            }
            (Form::Pictures, _) => {
                Arc::new(pictures::PictureSamples::new(source, &self.config.images, self.defaults))
            }
            (Form::Texts | Form::TextPairs, Some(encoder)) => {
                Arc::new(texts::TextSamples::new(source, Arc::clone(encoder)))
            }
            (Form::Texts | Form::TextPairs, None) => {
                return Err(DataError::value("tokenizer", "nothing", "a tokenizer.json"));
            }
        })
    }
}

/// The part of the dataset trait that all samples have in common, by their field `source`.
macro_rules! of_source {
    () => {
        fn len(&self) -> usize {
            self.source.len()
        }
        fn class_names(&self) -> &[String] {
            self.source.class_names()
        }
        fn class_of(&self, index: usize) -> Option<usize> {
            self.source.class_of(index)
        }
        fn id(&self, index: usize) -> String {
            self.source.identity(index)
        }
        fn in_memory(&self) -> bool {
            self.source.in_memory()
        }
    };
}
use of_source;

/// A data set as a plugin's author writes it, in the program itself.
impl<D: thaw_plugin_api::dataset::Dataset> Samples for D {
    fn form(&self) -> Form {
        D::form(self)
    }
    fn len(&self, split: Split) -> Option<usize> {
        D::len(self, split)
    }
    fn get(&self, split: Split, index: usize) -> Result<Sample> {
        D::get(self, split, index)
    }
    fn name(&self) -> String {
        format!("dataset `{}`", D::ID)
    }
    fn class_names(&self) -> Vec<String> {
        D::class_names(self)
    }
    fn target(&self, split: Split, index: usize) -> Result<Option<Target>> {
        D::target(self, split, index)
    }
    fn length(&self, split: Split, index: usize) -> Option<usize> {
        D::length(self, split, index)
    }
    fn identity(&self, split: Split, index: usize) -> String {
        D::identity(self, split, index)
    }
    fn in_memory(&self) -> bool {
        D::in_memory(self)
    }
    fn state(&self) -> Result<Value> {
        Ok(serde_json::from_str(&save(self)?)?)
    }
    fn load_state(&mut self, state: &Value) -> Result<()> {
        restore(self, &state.to_string())
    }
}

#[cfg(test)]
mod tests;
