//! Which tensor of a file goes where in a model.

mod grid;
mod pretrained;
mod report;

pub use grid::GridResize;
pub use pretrained::PretrainedNames;
pub use report::{LoadReport, Mismatch, Unmatched};

use super::config::WeightsConfig;
use super::error::WeightsError;
use super::state_dict::StateDict;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tch::Kind;

/// A parameter or buffer of a model, by its state_dict name.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Its name.
    pub name: String,
    /// Its sizes, outermost first.
    pub shape: Vec<i64>,
    /// Its element type.
    pub kind: Kind,
}

impl TensorSpec {
    /// A tensor of a model.
    pub fn new(name: impl Into<String>, shape: impl Into<Vec<i64>>, kind: Kind) -> Self {
        Self { name: name.into(), shape: shape.into(), kind }
    }
}

/// One tensor to be copied.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedCopy {
    /// Its name in the model.
    pub model: String,
    /// Its name in the file.
    pub file: String,
    /// The sizes it has in the model.
    pub shape: Vec<i64>,
    /// The element type it has in the file.
    pub from: Kind,
    /// The element type it has in the model, to which the values are converted.
    pub to: Kind,
    /// How it is interpolated, where it is a position embedding for another picture size.
    pub resize: Option<GridResize>,
}

/// What to copy, and what stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadPlan {
    /// What is copied, in the model's order.
    pub copies: Vec<PlannedCopy>,
    /// Names of the model that keep their values because `ignore` says so or because they lie outside `to`,
    /// sorted.
    pub kept: Vec<String>,
    /// Names of the model that the file does not have and that may be missing: with `strict = false` any,
    /// else batch norm's `num_batches_tracked`, which files of PyTorch before 0.4.1 lack. Sorted.
    pub missing: Vec<String>,
    /// Names of the file, as in the file, that the model does not have (`strict = false`), ignores or says it
    /// has no use for, sorted.
    pub unused: Vec<String>,
}

/// A buffer that old files lack and that nothing depends on but a batch norm without momentum.
const MAY_BE_MISSING: &str = "num_batches_tracked";

/// Matches the file's names with the model's.
///
/// Several names of the model may stand for one tensor (tied weights): each is asked for, as in PyTorch.
///
/// # Errors
/// [`WeightsError::Mismatch`] with everything that does not fit; a malformed pattern; a `module` or `to` that is not there; two
/// tensors that would get one name.
pub fn plan_load(
    model: &[TensorSpec],
    file: &StateDict,
    config: &WeightsConfig,
) -> Result<LoadPlan, WeightsError> {
    plan_pretrained(model, file, config, &PretrainedNames::default())
}

/// The same for a file that may have the names of the model's pretrained files.
///
/// # Errors
/// As [`plan_load`].
pub fn plan_pretrained(
    model: &[TensorSpec],
    file: &StateDict,
    config: &WeightsConfig,
    pretrained: &PretrainedNames,
) -> Result<LoadPlan, WeightsError> {
    let ignored = config.ignored()?;
    let own = model.iter().map(|tensor| tensor.name.as_str()).collect();
    let Available { tensors: available, unused } =
        available(file, config, |name| pretrained.apply(name, &own))?;
    // A file's tensor may be ignored by its name there, before any renaming; so is then the model's that it
    // would have gone to.
    let is_ignored =
        |name: &str| ignored.matches(name) || available.get(name).is_some_and(|found| ignored.matches(found));
    let target = config.target();
    let within = |name: &str| target.is_empty() || below(name, target);
    if !model.iter().any(|tensor| within(&tensor.name)) {
        let names = model.iter().map(|tensor| tensor.name.as_str());
        return Err(no_such_module("to", target, "the model".to_owned(), names));
    }

    let mut plan = LoadPlan { unused, ..LoadPlan::default() };
    let mut report = LoadReport::new(file.path(), config.strict);
    let mut wanted: BTreeSet<&str> = BTreeSet::new();
    for tensor in model {
        let name = tensor.name.as_str();
        wanted.insert(name);
        if !within(name) || is_ignored(name) {
            plan.kept.push(name.to_owned());
            continue;
        }
        let Some(entry) = available.get(name).and_then(|found| file.get(found)) else {
            match last_part(name) == MAY_BE_MISSING {
                true => plan.missing.push(name.to_owned()),
                false => report.missing.push(Unmatched::new(name, &tensor.shape)),
            }
            continue;
        };
        let resize = pretrained.resized(name, entry.shape(), &tensor.shape);
        if !fits(entry.shape(), &tensor.shape) && (resize.is_none() || !config.interpolate_embeddings) {
            report.can_be_interpolated |= resize.is_some();
            report.mismatched.push(Mismatch {
                name: name.to_owned(),
                in_file: entry.name().to_owned(),
                model: tensor.shape.clone(),
                file: entry.shape().to_vec(),
            });
            continue;
        }
        plan.copies.push(PlannedCopy {
            model: name.to_owned(),
            file: entry.name().to_owned(),
            shape: tensor.shape.clone(),
            from: entry.kind(),
            to: tensor.kind,
            resize,
        });
    }
    for (name, &found) in &available {
        let entry = file.get(found);
        match entry.filter(|_| !wanted.contains(name.as_str()) && !is_ignored(name)) {
            Some(entry) => report.unexpected.push(Unmatched::renamed(name, found, entry.shape())),
            None if is_ignored(name) => plan.unused.push(found.to_owned()),
            None => {}
        }
    }

    if report.is_fatal() || (plan.copies.is_empty() && !report.is_empty()) {
        let names: Vec<&str> =
            model.iter().map(|tensor| tensor.name.as_str()).filter(|name| within(name)).collect();
        let found: Vec<&str> = available.keys().map(String::as_str).collect();
        let fitting: Vec<&str> = plan.copies.iter().map(|copy| copy.model.as_str()).collect();
        report.complete(&names, &found, &fitting);
        return Err(WeightsError::Mismatch(Box::new(report)));
    }
    plan.missing.extend(report.missing.into_iter().map(|tensor| tensor.name));
    plan.unused.extend(report.unexpected.into_iter().map(|tensor| tensor.in_file));
    for names in [&mut plan.kept, &mut plan.missing, &mut plan.unused] {
        names.sort();
    }
    Ok(plan)
}

/// What a file has for a model.
struct Available<'f> {
    /// The file's tensors by the names they have for the model; the names in the file are the values.
    tensors: BTreeMap<String, &'f str>,
    /// Names in the file that the model has no use for.
    unused: Vec<String>,
}

fn available<'f>(
    file: &'f StateDict,
    config: &WeightsConfig,
    own_name: impl Fn(String) -> Option<String>,
) -> Result<Available<'f>, WeightsError> {
    let naming = config.naming()?;
    let mut available: BTreeMap<String, &str> = BTreeMap::new();
    let mut unused = Vec::new();
    for found in file.names() {
        let Some(name) = naming.apply(found) else {
            continue;
        };
        let Some(name) = own_name(name) else {
            unused.push(found.to_owned());
            continue;
        };
        if let Some(first) = available.insert(name.clone(), found) {
            return Err(WeightsError::NameTwice {
                path: file.path().to_owned(),
                first: first.to_owned(),
                second: found.to_owned(),
                name,
            });
        }
    }
    if let (true, Some(module)) = (available.is_empty() && unused.is_empty(), &config.module) {
        let place = file.path().display().to_string();
        return Err(no_such_module("module", module, place, file.names()));
    }
    Ok(Available { tensors: available, unused })
}

fn no_such_module<'n>(
    key: &'static str,
    module: &str,
    place: String,
    names: impl Iterator<Item = &'n str>,
) -> WeightsError {
    let mut modules: HashMap<&str, f64> = HashMap::new();
    for name in names {
        for (at, _) in name.match_indices('.') {
            let top = if at == name.find('.').unwrap_or(at) { 0.5 } else { 0.0 };
            modules.entry(&name[..at]).or_insert_with(|| strsim::jaro_winkler(module, &name[..at]).max(top));
        }
    }
    let mut nearest: Vec<_> = modules.into_iter().collect();
    nearest.sort_by(|(a, x), (b, y)| y.total_cmp(x).then_with(|| a.cmp(b)));
    let known = nearest.into_iter().take(6).map(|(name, _)| name.to_owned()).collect();
    WeightsError::NoSuchModule { key, module: module.to_owned(), place, known }
}

/// Whether `name` lies in `module`.
pub(super) fn below(name: &str, module: &str) -> bool {
    name.strip_prefix(module).is_some_and(|rest| rest.starts_with('.'))
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// PyTorch 0.3 had no scalars: it wrote them with one dimension of one element.
fn fits(file: &[i64], model: &[i64]) -> bool {
    file == model || (model.is_empty() && file == [1])
}
