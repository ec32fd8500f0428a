//! The invariant of fine-tuning: every trainable parameter is in exactly one group.

use std::collections::HashMap;

use crate::error::{Error, ErrorKind};
use crate::module_tree::ModuleTree;
use crate::optimizer::ParamGroup;

/// A parameter whose freeze state and group do not go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It trains, but no group has it: it collects gradients and never moves.
    NoGroup {
        /// The parameter.
        parameter: String,
    },
    /// More than one group has it: it would be stepped more than once.
    TwoGroups {
        /// The parameter.
        parameter: String,
        /// The groups.
        groups: Vec<String>,
    },
    /// A group has a name that is no parameter of the model.
    Unknown {
        /// The name.
        parameter: String,
        /// The group.
        group: String,
    },
}

/// Compares freeze state and groups. Empty where every trainable parameter is in exactly one group; frozen
/// parameters may be in one. Tied parameters count once, under the name that stands for their storage.
///
/// The host does this at the start and whenever freeze state or groups changed.
pub fn audit(model: &ModuleTree, groups: &[ParamGroup]) -> Vec<Finding> {
    let mut homes: HashMap<&str, Vec<&str>> = HashMap::new();
    for group in groups {
        for parameter in &group.parameters {
            homes.entry(parameter).or_default().push(&group.name);
        }
    }
    let mut findings = Vec::new();
    let own = model.parameters().filter(|parameter| parameter.tied_to.is_none());
    for parameter in own {
        match homes.remove(parameter.name.as_str()).as_deref() {
            None if parameter.requires_grad => {
                findings.push(Finding::NoGroup { parameter: parameter.name.clone() })
            }
            Some(groups @ [_, _, ..]) => {
                let groups = groups.iter().map(|group| (*group).to_owned()).collect();
                findings.push(Finding::TwoGroups { parameter: parameter.name.clone(), groups });
            }
            _ => {}
        }
    }
    let mut unknown: Vec<(&str, Vec<&str>)> = homes.into_iter().collect();
    unknown.sort_unstable();
    for (parameter, groups) in unknown {
        findings.push(Finding::Unknown { parameter: parameter.to_owned(), group: groups.join(", ") });
    }
    findings
}

/// A line for each finding, with what to do about it; parameters in no group share one.
pub fn messages(findings: &[Finding]) -> Vec<String> {
    let homeless = findings.iter().filter_map(|finding| match finding {
        Finding::NoGroup { parameter } => Some(parameter.as_str()),
        _ => None,
    });
    let homeless: Vec<&str> = homeless.collect();
    let mut lines = Vec::new();
    if !homeless.is_empty() {
        lines.push(format!(
            "trainable, but in no group, so that nothing updates them: {}; name their modules under \
             [optimizer] parameters, or load a strategy that freezes them until it thaws them",
            first_names(&homeless)
        ));
    }
    lines.extend(findings.iter().filter_map(|finding| match finding {
        Finding::NoGroup { .. } => None,
        Finding::TwoGroups { parameter, groups } => Some(format!(
            "in several groups, so that each step updates it more than once: {parameter} ({})",
            groups.join(", ")
        )),
        Finding::Unknown { parameter, group } => {
            Some(format!("in group {group}, but not in the model: {parameter}"))
        }
    }));
    lines
}

/// All findings in one error.
pub fn as_error(findings: &[Finding]) -> Error {
    let error = Error::of(ErrorKind::Groups, messages(findings).join("; "));
    let homeless = findings.iter().any(|finding| matches!(finding, Finding::NoGroup { .. }));
    if homeless {
        error.help("`unfreeze_and_add_param_group` makes parameters trainable and adds their group")
    } else {
        error
    }
}

/// Those of a whole backbone help nobody.
fn first_names(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}
