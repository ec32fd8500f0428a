//! Which tensor of a file goes where in a model.

mod grid;
mod matching;
mod part;
mod places;
mod pretrained;
mod remarks;
mod report;

pub use grid::GridResize;
pub use part::{Part, Proposal};
pub use pretrained::PretrainedNames;
pub use remarks::Remark;
pub use report::{LoadReport, Mismatch, Unmatched};

use super::config::WeightsConfig;
use super::error::WeightsError;
use super::state_dict::StateDict;
use matching::Matching;
use places::{Places, Reading};
use std::collections::{BTreeSet, HashMap};
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
    /// Its position among the file's tensors.
    pub(super) at: usize,
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
    /// What the file has for the model outside of `to`.
    pub outside: Vec<Outside>,
    /// The part of the file that was taken, and which others there were.
    pub part: Part,
    /// Names of the file's state dict that lie outside of the part, sorted.
    pub left: Vec<String>,
    /// Names that lost what wrappers of modules put into them.
    pub unwrapped: Unwrapped,
    /// What the model says of files like this one.
    pub notes: Vec<String>,
}

/// Names of a file without what data-parallel, compiled, sharded or checkpointed modules put into them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Unwrapped {
    /// How many there are.
    pub names: usize,
    /// What they lost, as `_orig_mod`.
    pub wrapping: BTreeSet<String>,
}

impl Unwrapped {
    fn add(&mut self, wrapping: BTreeSet<String>) {
        self.names += usize::from(!wrapping.is_empty());
        self.wrapping.extend(wrapping);
    }
}

/// A tensor of a file that is not for the module that `to` names.
#[derive(Debug, Clone, PartialEq)]
pub struct Outside {
    /// Its name in the file.
    pub file: String,
    /// The tensor of the model that it is for and fits; `None` where none fits.
    pub model: Option<String>,
}

/// A buffer that old files lack and that nothing depends on but a batch norm without momentum.
const MAY_BE_MISSING: &str = "num_batches_tracked";

/// Matches the file's names with the model's.
///
/// Several names of the model may stand for one tensor (tied weights): each is asked for, as in PyTorch.
///
/// # Errors [`WeightsError::Mismatch`] with everything that does not fit; a malformed pattern; a `module` or
/// `to` that is not there; two tensors that would get one name.
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
    let plan = matched(Places::new(model, file, config, pretrained, Reading::Lenient)?)?;
    if plan.copies.is_empty() && !model.is_empty() {
        return Err(WeightsError::NothingLoads { path: file.path().to_path_buf(), tensors: model.len() });
    }
    Ok(plan)
}

/// The same for a checkpoint of the model itself, which has its names as they are, and all of them.
///
/// # Errors
/// As [`plan_load`].
pub fn plan_checkpoint(model: &[TensorSpec], file: &StateDict) -> Result<LoadPlan, WeightsError> {
    let config = WeightsConfig::new(file.path());
    matched(Places::new(model, file, &config, &PretrainedNames::default(), Reading::Exact)?)
}

fn matched(places: Places<'_>) -> Result<LoadPlan, WeightsError> {
    let found = places.find()?;
    Matching::of(&places, found).finish()
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
