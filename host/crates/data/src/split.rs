//! Which samples `val_split` keeps for validation.

use super::DataError;
use super::dataset::{Dataset, Subset};
use super::random::stable_hash;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a sample's side of a `val_split` is drawn from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SplitBy {
    /// The sample's path relative to the data's root, or its row: the same wherever the data lies.
    #[default]
    RelativePath,
    /// The picture's path as it was spelled. Versions that wrote no rule into their checkpoints split so;
    /// this is the root as their run config spelled it, so that a run of theirs keeps its split.
    SpelledPath(PathBuf),
}

/// A dataset that loaders and subsets hold together.
type Shared = Arc<dyn Dataset>;

/// Splits off a share of each class for validation: `(training, validation)`.
///
/// Within a class the samples are taken in the order of a hash of what they are split by, so the rule is the
/// same on every machine, does not depend on the run's seed, and a new sample moves few others. Each class
/// with at least two samples gives at least one to either side. Without classes the share is taken of all
/// samples. A sample that is listed twice is on one side.
pub(crate) fn split(
    dataset: Shared,
    share: f64,
    split_seed: u64,
    by: &SplitBy,
) -> Result<(Shared, Shared), DataError> {
    let groups = dataset.class_names().len().max(1);
    let mut members: Vec<Vec<(u64, usize)>> = vec![Vec::new(); groups];
    for index in 0..dataset.len() {
        let name = match by {
            SplitBy::RelativePath => dataset.identity(index),
            SplitBy::SpelledPath(root) => dataset.spelled(index, root),
        };
        members[dataset.class_of(index).unwrap_or(0)].push((stable_hash(split_seed, &name), index));
    }
    let (mut train, mut val) = (Vec::new(), Vec::new());
    for mut group in members {
        group.sort_unstable();
        let mut taken = (group.len() as f64 * share).round() as usize;
        if group.len() >= 2 {
            taken = taken.clamp(1, group.len() - 1);
        }
        if *by == SplitBy::RelativePath {
            taken = beside_equals(&group, taken);
        }
        val.extend(group[..taken].iter().map(|&(_, i)| i));
        train.extend(group[taken..].iter().map(|&(_, i)| i));
    }
    if train.is_empty() || val.is_empty() {
        let classes = dataset.class_names().len();
        let found = format!("{share} of {} samples", dataset.len());
        let mut expected = "a share that leaves samples on both sides".to_owned();
        if classes > 1 && classes * 2 > dataset.len() {
            expected += &format!(
                ", of each of the {classes} classes; labels that are numbers to be predicted, not classes, \
                 need `target = \"value\"` in [data]"
            );
        }
        return Err(DataError::value("val_split", found, expected));
    }
    train.sort_unstable();
    val.sort_unstable();
    let part = |indices| -> Shared { Arc::new(Subset { inner: Arc::clone(&dataset), indices }) };
    Ok((part(train), part(val)))
}

/// The nearest border at or above `taken`, else below, that does not run between equal samples.
fn beside_equals(group: &[(u64, usize)], taken: usize) -> usize {
    let divides =
        |border: usize| border > 0 && border < group.len() && group[border - 1].0 == group[border].0;
    let above = (taken..group.len()).find(|&border| !divides(border));
    let border = above.or_else(|| (1..taken).rev().find(|&border| !divides(border)));
    border.unwrap_or(taken)
}

/// A relative path in one spelling: `/` between names, no `.`, and `..` only where it leads above the root.
pub(crate) fn identity_of(relative: &Path) -> String {
    use std::path::Component;
    let mut names: Vec<String> = Vec::new();
    for component in relative.components() {
        match component {
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::ParentDir if names.last().is_some_and(|name| name != "..") => {
                names.pop();
            }
            other => names.push(other.as_os_str().to_string_lossy().into_owned()),
        }
    }
    names.join("/")
}

/// The way from one folder to a file, both absolute and without links: by `..` where it lies outside.
pub(crate) fn relative_to(root: &Path, file: &Path) -> PathBuf {
    let (from, to): (Vec<_>, Vec<_>) = (root.components().collect(), file.components().collect());
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n(std::path::Component::ParentDir, from.len() - shared);
    up.chain(to[shared..].iter().copied()).collect()
}

#[cfg(test)]
mod tests;
