//! Samples that are tensors already.

use super::DataError;
use super::batch::{Batch, Levels, Unfinished};
use super::config::TensorsConfig;
use super::dataset::{Dataset, Delivery, Pass};
use super::error::first_names;
use super::stamps::FileStamps;
use super::targets::{configured_classes, warn_of_empty};
use super::tensor_file::{RawTensor, TensorFile};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use tch::{Kind, Tensor};
use thaw_terminal::escape::shorten;
use thaw_torch::buffers::{Buffers, Place};

/// A batch of so many bytes is copied by several threads.
const LARGE_COPY: usize = 4 << 20;

/// Bytes that one of them copies at a time.
const TURN: usize = 1 << 20;

/// Target key if the config names none.
const DEFAULT_TARGET: &str = "y";

/// What `target` says of tables and lists.
const OF_TABLES: [&str; 3] = ["class", "value", "labels"];

/// What it says of a tensor file.
const FORMS: &str = "the key of the target's tensor: whole numbers of one dimension are classes, floats are \
                     values, and a target of two dimensions has a column per label";

/// Targets that are looked at at once.
const ROWS: usize = 1 << 16;

/// Which keys of the file a split takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) config: &'a TensorsConfig,
    /// Stands before each key: empty for training.
    pub(crate) prefix: &'a str,
    /// False leaves the target unread.
    pub(crate) target: bool,
    /// Whether the model takes pictures: whole numbers of a picture's dimensions are refused then.
    pub(crate) pictures: bool,
}

struct TensorDataset {
    rows: usize,
    inputs: Vec<(String, Stored)>,
    target: Option<Stored>,
    classes: Vec<String>,
    stamps: FileStamps,
    /// What batches were made in before.
    buffers: Buffers,
    /// What bytes of pictures are.
    shares: Levels,
}

/// A tensor as the file has it, and what its rows become in a batch.
struct Stored {
    raw: RawTensor,
    becomes: Becomes,
}

/// What a model gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Becomes {
    /// f32, of floats of any width.
    Floats,
    /// i64, of whole numbers and bools.
    WholeNumbers,
    /// f32 from 0 to 1, of bytes from 0 to 255, as torchvision's `ToTensor` makes them.
    Levels,
}

impl Becomes {
    /// Of a target of this type.
    pub(super) fn of_target(kind: Kind) -> Becomes {
        match kind {
            Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double => Becomes::Floats,
            _ => Becomes::WholeNumbers,
        }
    }

    /// Of an input of this type, of so many dimensions beside the sample: bytes of two or more are pictures.
    pub(super) fn of_input(kind: Kind, dimensions: usize) -> Becomes {
        if kind == Kind::Uint8 && dimensions >= 2 { Becomes::Levels } else { Becomes::of_target(kind) }
    }

    /// Why a model of pictures cannot take an input of this type and so many dimensions beside the sample:
    /// what was found, and what is expected.
    pub(super) fn refusal(kind: Kind, dimensions: usize) -> Option<(String, &'static str)> {
        let is_wrong = dimensions >= 2 && Becomes::of_input(kind, dimensions) == Becomes::WholeNumbers;
        let name = match kind {
            Kind::Int8 => "int8",
            Kind::Int16 => "int16",
            Kind::Int => "int32",
            Kind::Bool => "bool",
            _ => "int64",
        };
        let expected = "pictures as uint8 from 0 to 255, or as float32 (levels of 0 to 255 divided by 255); \
                        convert the array and write it again";
        is_wrong.then(|| (format!("values of {name}"), expected))
    }

    /// Samples as the model gets them.
    pub(super) fn of_rows(self, rows: Tensor) -> Result<Tensor, DataError> {
        Ok(match self {
            Becomes::Floats => rows.f_to_kind(Kind::Float)?,
            Becomes::WholeNumbers => rows.f_to_kind(Kind::Int64)?,
            // The floats are this function's own: divided where they are, they are not copied again.
            Becomes::Levels => rows.f_to_kind(Kind::Float)?.f_div_scalar_(255.0)?,
        })
    }
}

impl Stored {
    fn target(raw: RawTensor) -> Stored {
        Stored { becomes: Becomes::of_target(raw.kind), raw }
    }

    fn input(raw: RawTensor) -> Stored {
        Stored { becomes: Becomes::of_input(raw.kind, raw.shape.len().saturating_sub(1)), raw }
    }

    /// The rows of these samples as the file has them, copied once, into memory that may have been used
    /// before.
    fn rows(&self, indices: &[usize], buffers: &Buffers, place: Place) -> Result<Tensor, DataError> {
        let mut shape: Vec<i64> = self.raw.shape.iter().map(|&n| n as i64).collect();
        shape[0] = indices.len() as i64;
        let (bytes, width) = (self.raw.bytes(), self.raw.row_bytes());
        buffers.filled(&shape, self.raw.kind, place, |rows| {
            gather(bytes, width, indices, rows);
            Ok(())
        })
    }

    /// The rows of these samples as the model gets them.
    fn values(&self, indices: &[usize], buffers: &Buffers, place: Place) -> Result<Tensor, DataError> {
        self.becomes.of_rows(self.rows(indices, buffers, place)?)
    }
}

/// Copies rows of so many bytes, by their numbers.
fn gather(bytes: &[u8], width: usize, indices: &[usize], rows: &mut [u8]) {
    if width == 0 {
        return;
    }
    let copy = |(row, &index): (&mut [u8], &usize)| {
        row.copy_from_slice(&bytes[index * width..(index + 1) * width]);
    };
    if rows.len() < LARGE_COPY || indices.len() < 2 {
        rows.chunks_exact_mut(width).zip(indices).for_each(copy);
    } else {
        // As many rows to a turn as are worth one.
        let turn = (TURN / width).max(1);
        let turns = rows.par_chunks_mut(turn * width).zip(indices.par_chunks(turn));
        turns.for_each(|(rows, indices)| rows.chunks_exact_mut(width).zip(indices).for_each(copy));
    }
}

/// Opens the tensors of a split. `classes` are the training split's, for validation.
pub(crate) fn open_tensors(
    file: &TensorFile,
    keys: Keys<'_>,
    classes: Option<&[String]>,
) -> Result<Arc<dyn Dataset>, DataError> {
    let config = keys.config;
    if config.inputs.is_empty() {
        return Err(DataError::value("inputs", "[]", "at least one key"));
    }
    let mut rows: Option<(String, usize)> = None;
    let mut load = |key: &str| {
        let key = format!("{}{key}", keys.prefix);
        let tensor = file.get(&key)?;
        let Some(&count) = tensor.shape.first() else {
            return Err(file.error(&key, "shape []", "a first dimension: the samples"));
        };
        if count == 0 {
            let found = format!("shape {:?}", tensor.shape);
            return Err(file.error(&key, found, "at least one sample"));
        }
        match &rows {
            Some((first, n)) if *n != count => {
                let found = format!("shape {:?}, so {count} samples", tensor.shape);
                return Err(file.error(&key, found, format!("{n} as in `{first}`")));
            }
            Some(_) => {}
            None => rows = Some((key.clone(), count)),
        }
        Ok(tensor)
    };
    let mut inputs = Vec::new();
    for key in &config.inputs {
        let input = load(key)?;
        let dimensions = input.shape.len() - 1;
        if let Some((found, expected)) = Becomes::refusal(input.kind, dimensions).filter(|_| keys.pictures) {
            return Err(file.error(&format!("{}{key}", keys.prefix), found, expected));
        }
        inputs.push((key.clone(), Stored::input(input)));
    }
    let target_key = config.target.as_deref().unwrap_or(DEFAULT_TARGET);
    let full_key = format!("{}{target_key}", keys.prefix);
    let wanted = keys.target && (config.target.is_some() || file.has(&full_key));
    if wanted && !file.has(&full_key) && OF_TABLES.contains(&target_key) {
        let found =
            format!("\"{target_key}\", which is no tensor of {}", thaw_terminal::escape::path(file.path()));
        return Err(DataError::value("target", found, FORMS));
    }
    let target = if wanted { Some(Stored::target(load(target_key)?)) } else { None };
    if let Some(target) = &target {
        check_finite(target, file.path(), &full_key)?;
    }
    let names = match &target {
        Some(target) => {
            let known = configured_classes(&config.classes)?.or(classes);
            names_of(target, known, file, &full_key)?
        }
        None => Vec::new(),
    };
    let rows = rows.map_or(0, |(_, n)| n);
    let stamps = FileStamps::of(file.path());
    let (buffers, shares) = (Buffers::default(), Levels::shares());
    Ok(Arc::new(TensorDataset { rows, inputs, target, classes: names, stamps, buffers, shares }))
}

/// Names of the classes of a target: of indices, or of a column for each label; none of numbers.
fn names_of(
    target: &Stored,
    known: Option<&[String]>,
    file: &TensorFile,
    key: &str,
) -> Result<Vec<String>, DataError> {
    match target.raw.shape.as_slice() {
        [_] if target.becomes == Becomes::WholeNumbers => class_names(&target.raw, known, file.path(), key),
        [_, width] => {
            let known = known.unwrap_or_default();
            if !known.is_empty() && known.len() != *width {
                let found = format!("{width} columns");
                let expected = format!("{}, one for each of `classes` in [data]", known.len());
                return Err(file.error(key, found, expected));
            }
            Ok(known.to_vec())
        }
        _ => Ok(Vec::new()),
    }
}

/// Refuses a target of numbers, one or a row of them per sample, that are none.
fn check_finite(target: &Stored, path: &Path, key: &str) -> Result<(), DataError> {
    let (rows, width) = match target.raw.shape.as_slice() {
        [rows] => (*rows, 1),
        [rows, width] => (*rows, *width),
        _ => return Ok(()),
    };
    if target.becomes != Becomes::Floats {
        return Ok(());
    }
    let buffers = Buffers::default();
    for first in (0..rows).step_by(ROWS) {
        let indices: Vec<usize> = (first..rows.min(first + ROWS)).collect();
        let values = target.values(&indices, &buffers, Place::Memory)?;
        let numbers = Vec::<f32>::try_from(values.f_reshape([-1])?)?;
        if let Some(place) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(DataError::Label {
                path: path.to_path_buf(),
                place: format!("tensor `{key}`, row {}", first + place / width),
                found: numbers[place].to_string(),
                expected: "a number; leave out rows without a target".to_owned(),
            });
        }
    }
    Ok(())
}

/// Names of the classes that a target of indices has: the known ones, else the indices themselves.
fn class_names(
    target: &RawTensor,
    known: Option<&[String]>,
    path: &Path,
    key: &str,
) -> Result<Vec<String>, DataError> {
    let mut seen = BTreeSet::new();
    for (row, class) in (0..).map_while(|row| Some((row, target.whole_number(row)?))) {
        let expected = match known {
            _ if class < 0 => "a class index from 0".to_string(),
            Some(names) if class >= names.len() as i64 => {
                format!("0 to {} ({})", names.len() - 1, first_names(names, 12))
            }
            None if class > i64::from(u16::MAX) => format!("a class index up to {}", u16::MAX),
            _ => {
                seen.insert(class as usize);
                continue;
            }
        };
        return Err(DataError::Label {
            path: path.to_path_buf(),
            place: format!("tensor `{key}`, row {row}"),
            found: class.to_string(),
            expected,
        });
    }
    if let Some(names) = known {
        return Ok(names.to_vec());
    }
    let names: Vec<String> = (0..=seen.last().copied().unwrap_or(0)).map(|i| i.to_string()).collect();
    warn_of_empty(path, &names, seen.into_iter());
    Ok(names)
}

impl Dataset for TensorDataset {
    fn len(&self) -> usize {
        self.rows
    }
    fn class_names(&self) -> &[String] {
        &self.classes
    }
    fn class_of(&self, index: usize) -> Option<usize> {
        // A target of two dimensions has a column per class.
        let target = self.target.as_ref().filter(|target| target.raw.shape.len() == 1)?;
        if self.classes.is_empty() {
            return None;
        }
        target.raw.whole_number(index).map(|class| class as usize)
    }
    fn labels_of(&self, index: usize) -> Option<Vec<f32>> {
        let target = self.target.as_ref().filter(|target| target.raw.shape.len() == 2)?;
        let row = target.values(&[index], &self.buffers, Place::Memory).ok()?;
        let row = row.f_to_kind(Kind::Float).ok()?.f_reshape([-1]).ok()?;
        Vec::<f32>::try_from(row).ok()
    }
    fn id(&self, index: usize) -> String {
        index.to_string()
    }
    fn input_shape(&self) -> String {
        let shape = |(name, tensor): &(String, Stored)| {
            let sizes: Vec<String> = tensor.raw.shape[1..].iter().map(usize::to_string).collect();
            match sizes.len() {
                0 => shorten(name).into_owned(),
                _ => format!("{} {}", shorten(name), sizes.join("x")),
            }
        };
        let shapes: Vec<String> = self.inputs.iter().map(shape).collect();
        shapes.join(", ")
    }
    fn batch(&self, indices: &[usize], pass: &Pass) -> Result<Batch, DataError> {
        let place = pass.delivery.place();
        let mut inputs = Vec::with_capacity(self.inputs.len());
        let mut unfinished = Vec::new();
        for (name, tensor) in &self.inputs {
            let travels = matches!(pass.delivery, Delivery::Device(_)) && tensor.becomes == Becomes::Levels;
            let values = if travels {
                unfinished.push(Unfinished { input: inputs.len(), levels: self.shares.clone() });
                tensor.rows(indices, &self.buffers, place)?
            } else {
                tensor.values(indices, &self.buffers, place)?
            };
            inputs.push((name.clone(), values));
        }
        let target = self.target.as_ref();
        let targets = target.map(|target| target.values(indices, &self.buffers, place)).transpose()?;
        Ok(Batch { unfinished, ..Batch::new(inputs, targets, indices.to_vec()) })
    }
    fn fixed_inputs(&self, _pass: &Pass) -> bool {
        true
    }
    fn in_memory(&self) -> bool {
        true
    }
    fn stamps(&self) -> FileStamps {
        self.stamps
    }
}

#[cfg(test)]
mod tests;
