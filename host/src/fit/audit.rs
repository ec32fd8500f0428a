//! What would train wrongly without a word: checked at the start and after each change of freeze state.

use std::collections::{BTreeMap, BTreeSet};

use tch::{Kind, Tensor};
use thaw_plugin_api::module_tree::ModuleTree;
use thaw_plugin_api::optimizer::ParamGroup;

use crate::data::first_names;

/// Names in a message: those of a whole backbone help nobody.
const SHOWN: usize = 8;

/// Trainable parameters in no group or in several, and groups that name what the model does not have.
pub fn groups(tree: &ModuleTree, groups: &[ParamGroup]) -> Vec<String> {
    let mut homes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for group in groups {
        for name in &group.parameters {
            homes.entry(name).or_default().push(&group.name);
        }
    }
    let trainable: BTreeSet<&str> = tree.trainable().into_iter().collect();
    let homeless: Vec<&str> = trainable.iter().copied().filter(|name| !homes.contains_key(name)).collect();
    let mut findings = Vec::new();
    if !homeless.is_empty() {
        findings.push(format!(
            "trainable, but in no group, so that nothing updates them (`unfreeze_and_add_param_group` adds one): {}",
            first_names(&homeless, SHOWN)
        ));
    }
    for (name, homes) in &homes {
        if homes.len() > 1 {
            findings.push(format!("in several groups, so that each step updates it more than once: {name} ({})", homes.join(", ")));
        }
        if tree.parameter(name).is_err() {
            findings.push(format!("in group {}, but not in the model: {name}", homes.join(", ")));
        }
    }
    findings
}

/// Trainable parameters of a group that got no gradient from a backward pass.
pub fn gradients<'n>(parameters: impl IntoIterator<Item = (&'n str, bool)>) -> Vec<String> {
    let without: Vec<&str> = parameters.into_iter().filter(|(_, has_grad)| !has_grad).map(|(name, _)| name).collect();
    if without.is_empty() {
        return Vec::new();
    }
    vec![format!("trainable and in a group, but without a gradient, so that they stay as they are: {}", first_names(&without, SHOWN))]
}

/// Digests of tensors that must not change, to be compared later.
#[derive(Default)]
pub struct Frozen(Vec<(String, Tensor, f64)>);

impl Frozen {
    /// Takes the digest of every frozen parameter.
    pub fn of<'t>(parameters: impl IntoIterator<Item = (&'t str, &'t Tensor)>) -> Self {
        let entries = parameters.into_iter().filter_map(|(name, tensor)| Some((name.to_owned(), tensor.shallow_clone(), digest(tensor)?)));
        Self(entries.collect())
    }

    /// Takes new digests after a change that was meant, as when weights of a checkpoint are put back.
    pub fn renew(&mut self) {
        for (_, tensor, before) in &mut self.0 {
            *before = digest(tensor).unwrap_or(*before);
        }
    }

    /// The frozen parameters that moved since.
    pub fn moved(&self) -> Vec<String> {
        let moved = self.0.iter().filter(|(_, tensor, before)| digest(tensor).is_some_and(|now| now.to_bits() != before.to_bits()));
        let names: Vec<&str> = moved.map(|(name, _, _)| name.as_str()).collect();
        if names.is_empty() { Vec::new() } else { vec![format!("frozen, but changed: {}", first_names(&names, SHOWN))] }
    }
}

/// The sum of squares in 64 bits: the same values in the same order give the same sum.
fn digest(tensor: &Tensor) -> Option<f64> {
    tch::no_grad(|| {
        let wide = tensor.detach().f_to_kind(Kind::Double).ok()?;
        wide.f_square().ok()?.f_sum(Kind::Double).ok()?.f_double_value(&[]).ok()
    })
}
