//! The targets of a table or folder: classes, numbers or nothing.

use super::DataError;
use super::batch::i64_tensor;
use super::config::Target;
use super::error::first_names;
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
            found: format!("\"{}\"", self.texts[row]),
            expected,
        }
    }
}

impl Targets {
    /// Makes targets of labels. `classes` are the names that the config or the training split gives.
    pub(crate) fn parse(
        labels: &Labels<'_>,
        target: Target,
        classes: Option<&[String]>,
    ) -> Result<Targets, DataError> {
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
                let names = match classes {
                    Some(names) => names.to_vec(),
                    None => class_names(labels)?,
                };
                let by_name: HashMap<&str, usize> =
                    names.iter().enumerate().map(|(i, n)| (n.as_str(), i)).collect();
                let find = |(row, text): (usize, &String)| {
                    let text = text.trim();
                    let index = || text.parse::<usize>().ok().filter(|&i| i < names.len());
                    by_name.get(text).copied().or_else(index).ok_or_else(|| {
                        let count = names.len();
                        let shown = first_names(&names, 12);
                        labels.error(
                            row,
                            format!("one of the {count} classes ({shown}) or an index below {count}"),
                        )
                    })
                };
                let indices: Result<_, _> = labels.texts.iter().enumerate().map(find).collect();
                Ok(Targets::Classes(indices?, names))
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

/// Whole numbers from 0 name classes by index, anything else by sorted name.
fn class_names(labels: &Labels<'_>) -> Result<Vec<String>, DataError> {
    let mut largest = 0;
    let mut whole_numbers = true;
    for (row, text) in labels.texts.iter().enumerate() {
        let text = text.trim();
        if text.is_empty() {
            return Err(labels.error(row, "a class".to_string()));
        }
        match text.parse::<usize>() {
            Ok(index) if whole_numbers && index > MAX_CLASS_INDEX => {
                let expected = format!(
                    "an index up to {MAX_CLASS_INDEX} or a name; list the labels under `classes` if it is a name"
                );
                return Err(labels.error(row, expected));
            }
            Ok(index) => largest = largest.max(index),
            Err(_) => whole_numbers = false,
        }
    }
    if whole_numbers {
        return Ok((0..=largest).map(|i| i.to_string()).collect());
    }
    let names: BTreeSet<&str> = labels.texts.iter().map(|text| text.trim()).collect();
    Ok(names.into_iter().map(str::to_string).collect())
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

    fn parse(texts: &[&str], target: Target, classes: Option<&[&str]>) -> Result<Targets, DataError> {
        let texts: Vec<String> = texts.iter().map(|s| s.to_string()).collect();
        let lines: Vec<u64> = (2..).take(texts.len()).collect();
        let labels = Labels { path: Path::new("list.csv"), texts: &texts, lines: &lines };
        let classes: Option<Vec<String>> = classes.map(|c| c.iter().map(|s| s.to_string()).collect());
        Targets::parse(&labels, target, classes.as_deref())
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
            parse(&["dog", "1"], Target::Class, Some(&names)).expect("valid"),
            classes(&[0, 1], &names)
        );
        for wrong in ["2", "cow", "-1", ""] {
            let error = parse(&["dog", wrong], Target::Class, Some(&names)).expect_err(wrong);
            let text = error.to_string();
            assert!(text.contains("list.csv, line 3"), "{text}");
            assert!(text.contains("dog, cat"), "{text}");
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
