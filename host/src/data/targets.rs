//! The targets of a table or folder: classes, numbers or nothing.

use super::DataError;
use super::batch::i64_tensor;
use super::config::Target;
use super::error::first_names;
use crate::escape::shorten;
use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use tch::Tensor;

/// Largest class index that a table may have without a `classes` list: beyond, it is a slip.
const MAX_CLASS_INDEX: usize = 65_535;

/// One target per sample.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Targets {
    /// Class index of each sample, and the names.
    Classes(Vec<usize>, Vec<String>),
    /// A number per sample.
    Values(Vec<f32>),
    /// Nothing is known.
    None,
}

/// Labels as a table has them, with the lines they stand on.
pub(crate) struct Labels<'a> {
    pub(crate) path: &'a Path,
    pub(crate) texts: &'a [String],
    pub(crate) lines: &'a [u64],
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
                let (names, by_index) = match known {
                    Known::Nothing => own_names(labels)?,
                    Known::Training(names) => (names.to_vec(), false),
                    Known::Config(names) => (names.to_vec(), are_indices(labels, names)),
                };
                let indices = class_indices(labels, &names, by_index)?;
                if matches!(known, Known::Nothing) {
                    warn_of_empty(labels.path, &names, indices.iter().copied());
                }
                Ok(Targets::Classes(indices, names))
            }
        }
    }

    /// Class names, empty without classes.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Targets::Classes(_, names) => names,
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
            Targets::None => Ok(None),
        }
    }
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
        crate::escape::path(path),
        first_names(&empty, 12)
    );
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
mod tests {
    use super::*;

    /// With names that the config gives, where there are some.
    fn parse(texts: &[&str], target: Target, classes: Option<&[&str]>) -> Result<Targets, DataError> {
        let texts: Vec<String> = texts.iter().map(|s| s.to_string()).collect();
        let lines: Vec<u64> = (2..).take(texts.len()).collect();
        let labels = Labels { path: Path::new("list.csv"), texts: &texts, lines: &lines };
        let classes: Option<Vec<String>> = classes.map(|c| c.iter().map(|s| s.to_string()).collect());
        Targets::parse(&labels, target, Known::of(classes.as_deref(), None))
    }

    fn classes(indices: &[usize], names: &[&str]) -> Targets {
        Targets::Classes(indices.to_vec(), names.iter().map(|s| s.to_string()).collect())
    }

    #[test]
    fn whole_numbers_are_indices_and_other_labels_sorted_names() {
        assert_eq!(
            parse(&["2", "0", "2"], Target::Class, None).expect("valid"),
            classes(&[2, 0, 2], &["0", "1", "2"])
        );
        assert_eq!(
            parse(&["dog", "cat", " dog"], Target::Class, None).expect("valid"),
            classes(&[1, 0, 1], &["cat", "dog"])
        );
    }

    #[test]
    fn a_given_list_of_classes_orders_them() {
        let names = ["dog", "cat"];
        assert_eq!(
            parse(&["dog", " cat"], Target::Class, Some(&names)).expect("valid"),
            classes(&[0, 1], &names)
        );
        for wrong in ["1", "2", "cow", "-1", ""] {
            let error = parse(&["dog", wrong], Target::Class, Some(&names)).expect_err(wrong);
            let text = error.to_string();
            assert!(text.contains("list.csv, line 3"), "{text}");
            assert!(text.contains("dog, cat"), "{text}");
        }
    }

    #[test]
    fn labels_that_are_all_indices_are_places_in_a_list_of_other_names() {
        let names = ["dog", "cat"];
        assert_eq!(
            parse(&["1", "0", "1"], Target::Class, Some(&names)).expect("valid"),
            classes(&[1, 0, 1], &names)
        );
        let text = parse(&["0", "2"], Target::Class, Some(&names)).expect_err("2 of 2").to_string();
        assert!(text.contains("line 3") && text.contains("an index below 2"), "{text}");
    }

    #[test]
    fn a_number_is_never_taken_for_a_place_in_a_list_of_numbers() {
        let stars = ["3", "4", "5"];
        for (texts, line) in [(&["1", "2"][..], "line 2"), (&["4", "1"], "line 3"), (&["0", "1"], "line 2")] {
            let text = parse(texts, Target::Class, Some(&stars)).expect_err("no star").to_string();
            assert!(text.contains(line) && text.contains("3, 4, 5") && !text.contains("index"), "{text}");
        }
        let grades = ["1", "2", "4", "K"].map(str::to_string);
        let labels = |texts| Labels { path: Path::new("v.csv"), texts, lines: &[2] };
        let texts = ["3".to_string()];
        let text = Targets::parse(&labels(&texts), Target::Class, Known::Training(&grades));
        assert!(text.expect_err("no grade").to_string().contains("1, 2, 4, K"));
        let names = ["cat", "dog"].map(str::to_string);
        let texts = ["1".to_string()];
        let text = Targets::parse(&labels(&texts), Target::Class, Known::Training(&names));
        assert!(text.expect_err("training had names").to_string().contains("cat, dog"));
    }

    #[test]
    fn numbers_that_are_not_counted_from_0_are_names_in_their_order() {
        for (texts, names) in [
            (&["10", "9", "1", "10"][..], &["1", "9", "10"][..]),
            (&["-1", "1", "-1"], &["-1", "1"]),
            (&["1.0", "10.0", "2.0"], &["1.0", "2.0", "10.0"]),
            (&["001", "000"], &["000", "001"]),
            (&["K", "2", "10"], &["10", "2", "K"]),
        ] {
            let Ok(Targets::Classes(indices, found)) = parse(texts, Target::Class, None) else {
                panic!("{texts:?}");
            };
            assert_eq!(found, names);
            for (text, index) in texts.iter().zip(indices) {
                assert_eq!(found[index], *text);
            }
        }
    }

    #[test]
    fn values_are_numbers() {
        assert_eq!(
            parse(&["1.5", "-2"], Target::Value, None).expect("valid"),
            Targets::Values(vec![1.5, -2.0])
        );
        for wrong in ["much", "NaN", "inf"] {
            let error = parse(&[wrong], Target::Value, None).expect_err(wrong);
            assert!(error.to_string().contains("a number"), "{error}");
        }
    }

    #[test]
    fn a_giant_index_is_taken_for_a_slip() {
        let error = parse(&["0", "1000000000"], Target::Class, None).expect_err("giant");
        assert!(error.to_string().contains("line 3"), "{error}");
        assert!(parse(&[" "], Target::Class, None).is_err());
    }
}
