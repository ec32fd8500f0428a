//! What samples are to be answered with: classes, numbers, arrays or nothing.

use tch::{Kind, Tensor};
use thaw_plugin_api::Error;
use thaw_plugin_api::dataset::{Array, Target};

use super::arrays::{Becomes, kind_of};
use crate::DataError;
use crate::batch::i64_tensor;
use crate::error::first_names;
use crate::targets::configured_classes;
use thaw_terminal::escape::shorten;

/// What all targets of the samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetKind {
    Class,
    Value,
    Array,
}

impl TargetKind {
    pub(super) fn of(target: &Target) -> Self {
        match target {
            Target::Class(_) | Target::Label(_) => Self::Class,
            Target::Value(_) => Self::Value,
            Target::Array(_) => Self::Array,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Class => "a class",
            Self::Value => "a number",
            Self::Array => "an array",
        }
    }
}

/// A target as it goes into a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    /// Index of the class among the outputs.
    Class(usize),
    Value(f32),
    Tensor(Array),
}

/// The targets of a split.
pub(super) struct Targets {
    /// None where samples have none, or nobody asks.
    kind: Option<TargetKind>,
    /// The samples' own names of the classes.
    own: Vec<String>,
    /// Names in the order of the outputs; the same where nobody gives another.
    names: Vec<String>,
    /// The place of each own name among the outputs.
    places: Vec<Option<usize>>,
    /// Targets of all samples, where they are known without them.
    known: Vec<Known>,
}

impl Targets {
    pub(super) fn none() -> Self {
        Self { kind: None, own: Vec::new(), names: Vec::new(), places: Vec::new(), known: Vec::new() }
    }

    /// `classes` are the names in the order of the outputs, where that is not the samples' own.
    pub(super) fn new(
        data: &str,
        kind: TargetKind,
        own: Vec<String>,
        classes: Option<&[String]>,
    ) -> Result<Self, DataError> {
        if kind != TargetKind::Class {
            return Ok(Self { kind: Some(kind), ..Self::none() });
        }
        let given = classes.map(<[String]>::to_vec);
        let names = configured_classes(&given)?.unwrap_or(&own).to_vec();
        if names.is_empty() {
            let expected =
                format!("names of the classes: {data} gives classes as targets, and no names of them");
            return Err(DataError::value("classes", "nothing", expected));
        }
        let own = if own.is_empty() { names.clone() } else { own };
        let places = own.iter().map(|name| names.iter().position(|known| known == name)).collect();
        Ok(Self { kind: Some(kind), own, names, places, known: Vec::new() })
    }

    pub(super) fn is_none(&self) -> bool {
        self.kind.is_none()
    }

    /// Whether they are small, and not known already.
    pub(super) fn are_worth_noting(&self) -> bool {
        self.known.is_empty() && matches!(self.kind, Some(TargetKind::Class | TargetKind::Value))
    }

    pub(super) fn names(&self) -> &[String] {
        &self.names
    }

    /// Targets of all samples.
    pub(super) fn know(&mut self, known: Vec<Known>) {
        self.known = known;
    }

    pub(super) fn known(&self, index: usize) -> Option<Known> {
        self.known.get(index).cloned()
    }

    /// The target that came with a sample.
    pub(super) fn of_sample(&self, target: Option<Target>) -> thaw_plugin_api::Result<Option<Known>> {
        match (self.kind, target) {
            (None, _) => Ok(None),
            (Some(_), Some(target)) => self.read(target).map(Some),
            (Some(kind), None) => Err(Error::new(format_args!(
                "found no target, expected {} as of the first sample",
                kind.name()
            ))),
        }
    }

    /// A target as it goes into a batch.
    pub(super) fn read(&self, target: Target) -> thaw_plugin_api::Result<Known> {
        let found = TargetKind::of(&target);
        if let Some(kind) = self.kind.filter(|kind| *kind != found) {
            return Err(Error::new(format_args!(
                "found {} as its target, expected {} as of the first sample",
                found.name(),
                kind.name()
            )));
        }
        match target {
            Target::Class(index) => self.place_of(index).map(Known::Class),
            Target::Label(name) => {
                let own = self.own.iter().position(|known| *known == name);
                let place = own.and_then(|own| self.places.get(own).copied().flatten());
                place.map(Known::Class).ok_or_else(|| self.no_class(&format!("`{}`", shorten(&name))))
            }
            Target::Value(value) if value.is_finite() => Ok(Known::Value(value as f32)),
            Target::Value(value) => {
                Err(Error::new(format_args!("found {value} as its target, expected a number")))
            }
            Target::Array(array) => Ok(Known::Tensor(array)),
        }
    }

    fn place_of(&self, index: usize) -> thaw_plugin_api::Result<usize> {
        match self.places.get(index) {
            Some(Some(place)) => Ok(*place),
            Some(None) => Err(self.no_class(&format!("`{}`", shorten(&self.own[index])))),
            None => Err(self.no_class(&format!("index {index}"))),
        }
    }

    fn no_class(&self, found: &str) -> Error {
        Error::new(format_args!(
            "found class {found}, expected one of {}: {}",
            self.names.len(),
            first_names(&self.names, 12)
        ))
    }

    /// The target tensor of a batch; none where samples have no targets.
    pub(super) fn tensor(&self, targets: Vec<Option<Known>>) -> Result<Option<Tensor>, DataError> {
        let targets: Vec<Known> = targets.into_iter().flatten().collect();
        match self.kind {
            None => Ok(None),
            Some(TargetKind::Class) => {
                let classes: Vec<i64> = targets.iter().map(class).collect();
                Ok(Some(i64_tensor(&classes, &[classes.len() as i64])?))
            }
            Some(TargetKind::Value) => {
                let values: Vec<f32> = targets.iter().map(value).collect();
                Ok(Some(Tensor::f_from_slice(&values)?))
            }
            Some(TargetKind::Array) => stack(targets).map(Some),
        }
    }
}

fn class(target: &Known) -> i64 {
    if let Known::Class(class) = target { *class as i64 } else { 0 }
}

fn value(target: &Known) -> f32 {
    if let Known::Value(value) = target { *value } else { 0.0 }
}

/// Arrays of one batch, which have one shape.
fn stack(targets: Vec<Known>) -> Result<Tensor, DataError> {
    let arrays: Vec<Array> = targets
        .into_iter()
        .filter_map(|target| if let Known::Tensor(array) = target { Some(array) } else { None })
        .collect();
    let Some(first) = arrays.first() else {
        return Ok(Tensor::f_zeros([0], (Kind::Float, tch::Device::Cpu))?);
    };
    if let Some(other) =
        arrays.iter().find(|array| (array.dtype(), array.shape()) != (first.dtype(), first.shape()))
    {
        return Err(DataError::value(
            "batch_size",
            format!(
                "targets of {} {:?} and {} {:?} in one batch",
                first.dtype(),
                first.shape(),
                other.dtype(),
                other.shape()
            ),
            "targets of one shape, or batch_size = 1",
        ));
    }
    let becomes = Becomes::of_target(kind_of(first.dtype()));
    super::arrays::stack(arrays.iter(), first.dtype(), first.shape(), becomes)
}
