//! Everything that does not fit between a file and a model, and what may help.

use thaw_terminal::escape;

use super::{Part, Proposal, below, last_part};
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// All that does not fit, sorted by name.
#[derive(Debug, Clone, PartialEq)]
pub struct LoadReport {
    /// The file.
    pub path: PathBuf,
    /// Whether missing and unexpected names are errors.
    pub strict: bool,
    /// In the model, not in the file.
    pub missing: Vec<Unmatched>,
    /// In the file, not in the model.
    pub unexpected: Vec<Unmatched>,
    /// In both, with different shapes.
    pub mismatched: Vec<Mismatch>,
    /// Whether one of those is a position embedding for another picture size.
    pub can_be_interpolated: bool,
    /// How many tensors do fit.
    pub matching: usize,
    /// The part of the file that was looked at, as in [`Part::prefix`].
    pub part: String,
    /// What to change, most promising first.
    pub hints: Vec<String>,
}

/// A name that the other side does not have.
#[derive(Debug, Clone, PartialEq)]
pub struct Unmatched {
    /// The name, of a file's tensor after renaming.
    pub name: String,
    /// The name in the file; of a tensor of the model the same as `name`.
    pub in_file: String,
    /// Its sizes.
    pub shape: Vec<i64>,
    /// The unmatched name of the other side that is most like it.
    pub nearest: Option<String>,
}

/// A tensor whose shape in the file is not that in the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The name in the model.
    pub name: String,
    /// The name in the file.
    pub in_file: String,
    /// Its sizes in the model.
    pub model: Vec<i64>,
    /// Its sizes in the file.
    pub file: Vec<i64>,
}

impl Proposal {
    /// The key that takes the part.
    fn hint(&self) -> String {
        let Self { prefix, fits } = self;
        let module = prefix.trim_end_matches('.');
        format!(
            "`module = \"{module}\"` in the weights makes {fits} fit: the file has them below \"{prefix}\""
        )
    }
}

/// Names less alike than this are no help.
const LIKENESS: f64 = 0.6;
/// Nearest names are looked for among at most so many pairs; beyond that the file is for another model.
const PAIRS: usize = 250_000;
/// Names of each list that the message has; the count before them is of all.
const SHOWN: usize = 8;

impl Unmatched {
    pub(super) fn new(name: &str, shape: &[i64]) -> Self {
        Self::renamed(name, name, shape)
    }

    pub(super) fn renamed(name: &str, in_file: &str, shape: &[i64]) -> Self {
        Self { name: name.to_owned(), in_file: in_file.to_owned(), shape: shape.to_vec(), nearest: None }
    }
}

impl LoadReport {
    pub(super) fn new(path: &Path, strict: bool) -> Self {
        Self {
            path: path.to_owned(),
            strict,
            missing: Vec::new(),
            unexpected: Vec::new(),
            mismatched: Vec::new(),
            can_be_interpolated: false,
            matching: 0,
            part: String::new(),
            hints: Vec::new(),
        }
    }

    /// Whether it stands in the way of loading. A wrong shape does even if not strict, as in PyTorch.
    pub(super) fn is_fatal(&self) -> bool {
        !self.mismatched.is_empty() || (self.strict && !self.is_empty())
    }

    /// Whether all fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.unexpected.is_empty() && self.mismatched.is_empty()
    }

    /// Sorts it, and adds nearest names and hints. `model` and `file` are all names, the file's after
    /// renaming; `fitting` those that fit; `part` where in the file they were looked for.
    pub(super) fn complete(&mut self, model: &[&str], file: &[&str], fitting: &[&str], part: &Part) {
        self.matching = fitting.len();
        self.part.clone_from(&part.prefix);
        self.missing.sort_by(|a, b| a.name.cmp(&b.name));
        self.unexpected.sort_by(|a, b| a.name.cmp(&b.name));
        self.mismatched.sort_by(|a, b| a.name.cmp(&b.name));
        self.hints.extend(part.proposed.as_ref().map(Proposal::hint).or_else(|| prefix_hint(model, file)));
        if self.hints.is_empty() && self.missing.len() * self.unexpected.len() <= PAIRS {
            let found = nearest(&self.missing, &self.unexpected);
            let back = nearest(&self.unexpected, &self.missing);
            for (tensor, nearest) in self.missing.iter_mut().zip(found) {
                tensor.nearest = nearest;
            }
            for (tensor, nearest) in self.unexpected.iter_mut().zip(back) {
                tensor.nearest = nearest;
            }
        }
        if self.can_be_interpolated {
            self.hints.push(
                "the weights are for another picture size; `interpolate_embeddings = true` in the weights \
                 takes them"
                    .to_owned(),
            );
        }
        self.hints.extend(self.ignore_hint(fitting));
        if fitting.is_empty() && self.hints.is_empty() {
            self.hints.push(
                "no tensor fits: these are another model's weights, or `[model]` names another model"
                    .to_owned(),
            );
        }
    }

    /// What the model says of the modules in which something does not fit.
    pub(super) fn add_notes(&mut self, notes: &[(String, String)]) {
        let is_at = |name: &str, path: &str| name == path || below(name, path);
        let concerns = |path: &str| {
            let mut tensors = self.missing.iter().chain(&self.unexpected);
            tensors.any(|tensor| is_at(&tensor.name, path) || is_at(&tensor.in_file, path))
        };
        let notes = notes.iter().filter(|(path, _)| concerns(path)).map(|(_, note)| note.clone());
        let notes: Vec<String> = notes.collect();
        self.hints.extend(notes);
    }

    /// `ignore` for what cannot be loaded, where that is only a part of what the file offers.
    fn ignore_hint(&self, fitting: &[&str]) -> Option<String> {
        const PATTERNS: usize = 4;
        let names = self.missing.iter().map(|tensor| tensor.name.as_str());
        let names = names.chain(self.unexpected.iter().map(|tensor| tensor.name.as_str()));
        let names = names.chain(self.mismatched.iter().map(|tensor| tensor.name.as_str()));
        let patterns: BTreeSet<&str> = names.map(|name| outermost_without(name, fitting)).collect();
        if fitting.is_empty() || patterns.len() > PATTERNS {
            return None;
        }
        let patterns: Vec<_> = patterns.iter().map(|pattern| format!("\"{pattern}\"")).collect();
        Some(format!(
            "to leave them as the model made them, add `ignore = [{}]` to the weights",
            patterns.join(", ")
        ))
    }
}

/// The outermost module that `name` lies in and no `fitting` name does; `name` itself if there is none.
fn outermost_without<'n>(name: &'n str, fitting: &[&str]) -> &'n str {
    let modules = name.match_indices('.').map(|(at, _)| &name[..at]);
    modules.into_iter().find(|module| !fitting.iter().any(|fits| below(fits, module))).unwrap_or(name)
}

/// Of each of `these` the name among `those` that is most like it, a tensor of the same shape before others.
fn nearest(these: &[Unmatched], those: &[Unmatched]) -> Vec<Option<String>> {
    let of = |tensor: &Unmatched| {
        let candidates = those.iter().filter(|other| last_part(&other.name) == last_part(&tensor.name));
        let rated = candidates.map(|other| {
            let likeness = strsim::normalized_levenshtein(&tensor.name, &other.name);
            let same_shape = if other.shape == tensor.shape { 0.25 } else { 0.0 };
            (likeness + same_shape, other)
        });
        let best = rated.max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.name.cmp(&x.name)));
        best.filter(|(rating, _)| *rating >= LIKENESS).map(|(_, other)| other.name.clone())
    };
    these.iter().map(of).collect()
}

/// The prefix on one side that keeps most names from fitting.
fn prefix_hint(model: &[&str], file: &[&str]) -> Option<String> {
    let in_model: HashSet<&str> = model.iter().copied().collect();
    let in_file: HashSet<&str> = file.iter().copied().collect();
    let now = fitting(file, "", &in_model);
    let off_file = best_prefix(file, &in_model, now);
    let off_model = best_prefix(model, &in_file, now);
    match (off_file, off_model) {
        (Some((count, prefix)), other) if other.is_none_or(|(others, _)| others <= count) => {
            let whole = file.iter().filter(|name| name.starts_with(prefix)).count();
            let origin = match prefix {
                "module." => " (a data-parallel model's)",
                "_orig_mod." => " (a compiled model's)",
                "model." => " (a LightningModule's attribute)",
                _ => "",
            };
            let which = if whole == file.len() {
                "every name".to_owned()
            } else {
                format!("{whole} of {} names", file.len())
            };
            Some(format!(
                "{which} in the file begins with \"{prefix}\"{origin}; `strip_prefix = \"{prefix}\"` makes \
                 {count} fit"
            ))
        }
        (_, Some((count, prefix))) => {
            let module = prefix.trim_end_matches('.');
            Some(format!(
                "the file's names lack the model's \"{prefix}\"; `to = \"{module}\"` makes {count} fit"
            ))
        }
        _ => None,
    }
}

/// How many of `names` are among `others` once `prefix` is off.
fn fitting(names: &[&str], prefix: &str, others: &HashSet<&str>) -> usize {
    let stripped = names.iter().filter_map(|name| name.strip_prefix(prefix));
    stripped.filter(|name| others.contains(name)).count()
}

/// The prefix without which most of `names` are among `others`, the shortest of equals, if those are more
/// than `now`.
fn best_prefix<'n>(names: &[&'n str], others: &HashSet<&str>, now: usize) -> Option<(usize, &'n str)> {
    let rated = prefixes(names).into_iter().map(|prefix| (fitting(names, prefix, others), prefix));
    let best = rated.max_by(|(a, x), (b, y)| a.cmp(b).then_with(|| y.len().cmp(&x.len())));
    best.filter(|(count, _)| *count > now)
}

/// The module paths, each with its dot, that names begin with: all of the first levels.
fn prefixes<'n>(names: &[&'n str]) -> BTreeSet<&'n str> {
    const LEVELS: usize = 3;
    names.iter().flat_map(|name| name.match_indices('.').take(LEVELS).map(|(at, _)| &name[..=at])).collect()
}

fn and_more(f: &mut fmt::Formatter<'_>, count: usize) -> fmt::Result {
    if count > SHOWN { write!(f, "\n    … and {} more", count - SHOWN) } else { Ok(()) }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: these weights do not fit the model; {} tensors do",
            thaw_terminal::escape::path(&self.path),
            self.matching
        )?;
        let unmatched =
            |f: &mut fmt::Formatter<'_>, title: &str, tensors: &[Unmatched], side: &str| -> fmt::Result {
                if tensors.is_empty() {
                    return Ok(());
                }
                write!(f, "\n  {} {title}:", tensors.len())?;
                for tensor in &tensors[..tensors.len().min(SHOWN)] {
                    write!(f, "\n    {} {:?}", escape(&tensor.name), tensor.shape)?;
                    if tensor.in_file != tensor.name {
                        write!(f, ", in the file {}", escape(&tensor.in_file))?;
                    }
                    if let Some(nearest) = &tensor.nearest {
                        write!(f, " (nearest in the {side}: {})", escape(nearest))?;
                    }
                }
                and_more(f, tensors.len())
            };
        unmatched(f, "missing (in the model, not in the file)", &self.missing, "file")?;
        unmatched(f, "unexpected (in the file, not in the model)", &self.unexpected, "model")?;
        if !self.mismatched.is_empty() {
            write!(f, "\n  {} of another shape:", self.mismatched.len())?;
            for tensor in self.mismatched.iter().take(SHOWN) {
                let name = escape(&tensor.name);
                write!(f, "\n    {name}: model {:?}, file {:?}", tensor.model, tensor.file)?;
            }
            and_more(f, self.mismatched.len())?;
        }
        self.hints.iter().try_for_each(|hint| write!(f, "\n  hint: {}", escape(hint)))
    }
}
