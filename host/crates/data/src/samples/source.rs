//! One split of samples, with what is known of its targets.

use std::sync::{Arc, OnceLock};

use tch::Tensor;
use thaw_plugin_api::Error;
use thaw_plugin_api::dataset::{Form, Input, Sample, Split, Target};

use super::Samples;
use super::targets::{Known, TargetKind, Targets};
use crate::DataError;

/// One split.
pub(crate) struct Source {
    samples: Arc<dyn Samples>,
    split: Split,
    form: Form,
    len: usize,
    targets: Targets,
    /// Targets that came with pictures, which are then in the cache; empty for all else.
    noted: Vec<OnceLock<Known>>,
}

impl Source {
    /// Looks at the first sample, and at all targets that are known without their samples.
    pub(super) fn open(
        samples: &Arc<dyn Samples>,
        split: Split,
        classes: Option<&[String]>,
        with_targets: bool,
    ) -> Result<Arc<Self>, DataError> {
        let len = samples.len(split).filter(|len| *len > 0).ok_or_else(|| {
            let there = Split::ALL.into_iter().filter(|split| samples.len(*split).is_some_and(|len| len > 0));
            let there: Vec<String> = there.map(|split| split.to_string()).collect();
            DataError::NoSplit { name: samples.name(), split: split.to_string(), splits: there.join(", ") }
        })?;
        let mut source = Self {
            samples: Arc::clone(samples),
            split,
            form: samples.form(),
            len,
            targets: Targets::none(),
            noted: Vec::new(),
        };
        if with_targets {
            let first = match source.target_alone(0)? {
                Some(target) => (Some(target), true),
                None => (source.get(0)?.target, false),
            };
            source.targets = source.all_targets(first, classes)?;
            if source.form == Form::Pictures && source.targets.are_worth_noting() {
                source.noted = (0..len).map(|_| OnceLock::new()).collect();
            }
        }
        Ok(Arc::new(source))
    }

    /// The targets as far as they are known now; `first` is that of the first sample, and whether it is known
    /// alone.
    fn all_targets(
        &self,
        first: (Option<Target>, bool),
        classes: Option<&[String]>,
    ) -> Result<Targets, DataError> {
        let (Some(first), is_known) = first else { return Ok(Targets::none()) };
        let kind = TargetKind::of(&first);
        let mut targets = Targets::new(&self.samples.name(), kind, self.samples.class_names(), classes)?;
        if !is_known {
            return Ok(targets);
        }
        let mut known = Vec::with_capacity(self.len);
        for index in 0..self.len {
            let Some(target) = self.target_alone(index)? else { return Ok(targets) };
            match targets.read(target).map_err(|error| self.error(index, error))? {
                Known::Tensor(_) => return Ok(targets),
                target => known.push(target),
            }
        }
        targets.know(known);
        Ok(targets)
    }

    fn target_alone(&self, index: usize) -> Result<Option<Target>, DataError> {
        self.samples.target(self.split, index).map_err(|error| self.error(index, error))
    }

    /// A sample, of the form that was declared.
    pub(super) fn get(&self, index: usize) -> Result<Sample, DataError> {
        let sample = self.samples.get(self.split, index).map_err(|error| self.error(index, error))?;
        self.form.check(&sample.input).map_err(|error| {
            self.error(index, Error::new(format_args!("{}: {error}", self.samples.name())))
        })?;
        Ok(sample)
    }

    /// A sample's input, whose target is noted.
    pub(super) fn input(&self, index: usize) -> Result<(Input, Option<Known>), DataError> {
        let sample = self.get(index)?;
        let target = self.targets.of_sample(sample.target).map_err(|error| self.error(index, error))?;
        Ok((sample.input, target))
    }

    /// Keeps the target of a picture that may not be read again.
    pub(super) fn note(&self, index: usize, target: Known) {
        if let Some(place) = self.noted.get(index) {
            let _ = place.set(target);
        }
    }

    /// The target of a sample whose input is there already.
    pub(super) fn target(&self, index: usize) -> Result<Option<Known>, DataError> {
        if self.targets.is_none() {
            return Ok(None);
        }
        let noted = || self.noted.get(index)?.get().cloned();
        match self.targets.known(index).or_else(noted) {
            Some(known) => Ok(Some(known)),
            None => Ok(self.input(index)?.1),
        }
    }

    /// The target tensor of a batch.
    pub(super) fn tensor(&self, targets: Vec<Option<Known>>) -> Result<Option<Tensor>, DataError> {
        self.targets.tensor(targets)
    }

    /// An error of a sample.
    pub(super) fn error(&self, index: usize, error: Error) -> DataError {
        DataError::Sample { split: self.split.to_string(), index, error }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn class_names(&self) -> &[String] {
        self.targets.names()
    }

    pub(super) fn class_of(&self, index: usize) -> Option<usize> {
        match self.targets.known(index) {
            Some(Known::Class(class)) => Some(class),
            _ => None,
        }
    }

    pub(super) fn identity(&self, index: usize) -> String {
        self.samples.identity(self.split, index)
    }

    pub(super) fn length(&self, index: usize) -> Option<usize> {
        self.samples.length(self.split, index)
    }

    pub(super) fn in_memory(&self) -> bool {
        self.samples.in_memory()
    }

    pub(super) fn form(&self) -> &Form {
        &self.form
    }
}
