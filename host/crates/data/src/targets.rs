//! The targets of a table or folder: classes, numbers or nothing.

use super::DataError;
use super::batch::i64_tensor;
use super::config::Target;
use super::error::first_names;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tch::Tensor;
use thaw_terminal::escape::shorten;

mod several;

/// Largest class index that a table may have without a `classes` list: beyond, it is a slip.
const MAX_CLASS_INDEX: usize = 65_535;

/// One target per sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Targets {
    /// Class index of each sample, and the names.
    Classes(Vec<usize>, Vec<String>),
    /// A number per sample.
    Values(Vec<f32>),
    /// Class indices of each sample, and the names.
    Labels(Vec<Vec<usize>>, Vec<String>),
    /// Nothing is known.
    None,
}

/// Labels as a table has them, with the lines they stand on.
pub(crate) struct Labels<'a> {
    pub(crate) path: &'a Path,
    pub(crate) texts: &'a [String],
    pub(crate) lines: &'a [u64],
    /// What stands between the labels of a sample.
    pub(crate) separator: &'a str,
}

impl Labels<'_> {
    fn error(&self, row: usize, expected: String) -> DataError {
        DataError::Label {
            path: self.path.to_path_buf(),
            place: format!("line {}", self.lines[row]),
            found: format!("\"{}\"", shorten(&self.texts[row])),
            expected,
        }
    }
}

impl Targets {
    /// Makes targets of labels. Labels that are numbers are names like any other, unless they are all whole
    /// numbers counted from 0, or the config lists names of another kind.
    pub(crate) fn parse(labels: &Labels<'_>, target: Target, known: Known<'_>) -> Result<Targets, DataError> {
        match target {
            Target::Value => {
                let parse = |(row, text): (usize, &String)| {
                    text.trim()
                        .parse::<f32>()
                        .ok()
                        .filter(|value| value.is_finite())
                        .ok_or_else(|| labels.error(row, "a number".to_string()))
                };
                let values: Result<_, _> = labels.texts.iter().enumerate().map(parse).collect();
                Ok(Targets::Values(values?))
            }
            Target::Class => {
                let (indices, names) = of_classes(labels, known)?;
                Ok(Targets::Classes(indices, names))
            }
            Target::Labels => several::parse(labels, known),
        }
    }

    /// Class names, empty without classes.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Targets::Classes(_, names) | Targets::Labels(_, names) => names,
            _ => &[],
        }
    }

    /// Class of a sample.
    pub(crate) fn class_of(&self, index: usize) -> Option<usize> {
        match self {
            Targets::Classes(indices, _) => indices.get(index).copied(),
            _ => None,
        }
    }

    /// A number for each label of a sample that may have several.
    pub(crate) fn labels_of(&self, index: usize) -> Option<Vec<f32>> {
        let Targets::Labels(of_samples, names) = self else { return None };
        let mut numbers = vec![0.0; names.len()];
        of_samples.get(index)?.iter().for_each(|label| numbers[*label] = 1.0);
        Some(numbers)
    }

    /// The target tensor of some samples.
    pub(crate) fn tensor(&self, samples: &[usize]) -> Result<Option<Tensor>, DataError> {
        match self {
            Targets::Classes(indices, _) => {
                let values: Vec<i64> = samples.iter().map(|&i| indices[i] as i64).collect();
                Ok(Some(i64_tensor(&values, &[samples.len() as i64])?))
            }
            Targets::Values(values) => {
                let values: Vec<f32> = samples.iter().map(|&i| values[i]).collect();
                Ok(Some(Tensor::f_from_slice(&values)?))
            }
            Targets::Labels(of_samples, names) => {
                let chosen: Vec<&[usize]> = samples.iter().map(|&i| of_samples[i].as_slice()).collect();
                Ok(Some(several::tensor(&chosen, names.len())?))
            }
            Targets::None => Ok(None),
        }
    }
}

/// The class of each label, and the names of all.
fn of_classes(labels: &Labels<'_>, known: Known<'_>) -> Result<(Vec<usize>, Vec<String>), DataError> {
    let (names, by_index) = match known {
        Known::Nothing => own_names(labels)?,
        Known::Training(names) => (names.to_vec(), false),
        Known::Config(names) => (names.to_vec(), are_indices(labels, names)),
    };
    let indices = class_indices(labels, &names, by_index)?;
    if matches!(known, Known::Nothing) {
        warn_of_empty(labels.path, &names, indices.iter().copied());
        warn_of_fractions(labels.path, &names);
    }
    Ok((indices, names))
}

/// Class names that are known before labels are read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Known<'a> {
    /// None are: the labels give them.
    Nothing,
    /// The `classes` key of the config.
    Config(&'a [String]),
    /// Those that the training split found.
    Training(&'a [String]),
}

impl<'a> Known<'a> {
    /// The config's names, where it has some, else those of training.
    pub(crate) fn of(config: Option<&'a [String]>, training: Option<&'a [String]>) -> Known<'a> {
        match (config, training) {
            (Some(names), _) => Known::Config(names),
            (None, Some(names)) => Known::Training(names),
            (None, None) => Known::Nothing,
        }
    }
}

/// The index that a text writes; `007` and `+7` are names.
fn index(text: &str) -> Option<usize> {
    text.parse::<usize>().ok().filter(|index| index.to_string() == text)
}

/// Whether labels are places in a list of names: all are whole numbers, and no name is one.
fn are_indices(labels: &Labels<'_>, names: &[String]) -> bool {
    labels.texts.iter().all(|text| index(text.trim()).is_some())
        && !names.iter().any(|name| name.trim().parse::<f64>().is_ok())
}

/// Names of the labels themselves, and whether labels are indices: whole numbers counted from 0 are, anything
/// else is a name. Names are sorted, numbers among themselves by their value.
fn own_names(labels: &Labels<'_>) -> Result<(Vec<String>, bool), DataError> {
    for (row, text) in labels.texts.iter().enumerate() {
        if text.trim().is_empty() {
            return Err(labels.error(row, "a class".to_string()));
        }
    }
    let indices: Option<BTreeSet<usize>> = labels.texts.iter().map(|text| index(text.trim())).collect();
    if let Some(indices) = indices.filter(|indices| indices.contains(&0)) {
        let largest = indices.last().copied().unwrap_or(0);
        if largest > MAX_CLASS_INDEX {
            let row = labels.texts.iter().position(|text| index(text.trim()) > Some(MAX_CLASS_INDEX));
            let expected = format!(
                "an index up to {MAX_CLASS_INDEX} or a name; list the labels under `classes` if it is a name"
            );
            return Err(labels.error(row.unwrap_or(0), expected));
        }
        return Ok(((0..=largest).map(|index| index.to_string()).collect(), true));
    }
    let names: BTreeSet<&str> = labels.texts.iter().map(|text| text.trim()).collect();
    let mut names: Vec<&str> = names.into_iter().collect();
    let value = |name: &str| name.parse::<f64>().ok().filter(|value| value.is_finite());
    if names.iter().all(|name| value(name).is_some()) {
        names.sort_by(|a, b| value(a).partial_cmp(&value(b)).unwrap_or(Ordering::Equal));
    }
    Ok((names.into_iter().map(str::to_string).collect(), false))
}

/// The class of each label.
fn class_indices(labels: &Labels<'_>, names: &[String], by_index: bool) -> Result<Vec<usize>, DataError> {
    let by_name: HashMap<&str, usize> = names.iter().enumerate().map(|(i, name)| (name.trim(), i)).collect();
    let find = |(row, text): (usize, &String)| {
        let text = text.trim();
        let place = || index(text).filter(|&place| by_index && place < names.len());
        by_name.get(text).copied().or_else(place).ok_or_else(|| {
            let count = names.len();
            let or_index = if by_index { format!(" or an index below {count}") } else { String::new() };
            let shown = first_names(names, 12);
            labels.error(row, format!("one of the {count} classes ({shown}){or_index}"))
        })
    };
    labels.texts.iter().enumerate().map(find).collect()
}

/// Names the classes between others that no training sample has, which a model then has outputs for.
pub(crate) fn warn_of_empty(path: &Path, names: &[String], classes: impl Iterator<Item = usize>) {
    let mut has_samples = vec![false; names.len()];
    classes.for_each(|class| {
        if let Some(seen) = has_samples.get_mut(class) {
            *seen = true;
        }
    });
    let empty = names.iter().zip(&has_samples).filter(|(_, has_samples)| !**has_samples);
    let empty: Vec<&String> = empty.map(|(name, _)| name).collect();
    if empty.is_empty() {
        return;
    }
    let from_one = if has_samples.first() == Some(&false) {
        "; labels that are counted from 1 leave class 0 empty: subtract 1"
    } else {
        ""
    };
    tracing::warn!(
        "{}: no sample is of class {}{from_one}",
        thaw_terminal::escape::path(path),
        first_names(&empty, 12)
    );
}

/// Says what is to be written where classes are numbers of which some are no whole ones: they seem to be
/// values.
fn warn_of_fractions(path: &Path, names: &[String]) {
    let values: Option<Vec<f64>> = names.iter().map(|name| name.parse().ok()).collect();
    let is_value = |values: Vec<f64>| values.iter().any(|value| value.fract() != 0.0);
    if values.is_some_and(is_value) {
        tracing::warn!(
            "{}: its labels are {} different numbers, and each is a class; numbers to be predicted need \
             `target = \"value\"` in [data]",
            thaw_terminal::escape::path(path),
            names.len()
        );
    }
}

/// The `classes` key, checked.
pub(crate) fn configured_classes(classes: &Option<Vec<String>>) -> Result<Option<&[String]>, DataError> {
    let Some(names) = classes else {
        return Ok(None);
    };
    let unique: BTreeSet<&String> = names.iter().collect();
    if names.is_empty() || unique.len() != names.len() {
        return Err(DataError::value("classes", format!("{names:?}"), "at least one name, each once"));
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests;
