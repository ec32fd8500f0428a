//! The invariant of fine-tuning: every trainable parameter is in exactly one group.

use std::collections::HashMap;

use crate::error::Error;
use crate::module_tree::ModuleTree;
use crate::optimizer::Optimizer;

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

/// Compares freeze state and groups. Empty where every trainable parameter is in exactly one group; frozen parameters
/// may be in one. Tied parameters count once, under the name that stands for their storage.
///
/// The host does this at the start and whenever freeze state or groups changed.
pub fn audit(model: &ModuleTree, optimizer: &Optimizer) -> Vec<Finding> {
    let mut homes: HashMap<&str, Vec<&str>> = HashMap::new();
    for group in optimizer.groups() {
        for parameter in &group.parameters {
            homes.entry(parameter).or_default().push(&group.name);
        }
    }
    let mut findings = Vec::new();
    let own = model.parameters().filter(|parameter| parameter.tied_to.is_none());
    for parameter in own {
        match homes.remove(parameter.name.as_str()).as_deref() {
            None if parameter.requires_grad => findings.push(Finding::NoGroup { parameter: parameter.name.clone() }),
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
        findings.push(Finding::Unknown { parameter: parameter.to_owned(), group: groups.concat() });
    }
    findings
}

/// All findings in one error, with what to do about them.
pub fn as_error(findings: &[Finding]) -> Error {
    let mut lines: Vec<String> = Vec::new();
    let orphans: Vec<&str> = findings
        .iter()
        .filter_map(|finding| match finding {
            Finding::NoGroup { parameter } => Some(parameter.as_str()),
            _ => None,
        })
        .collect();
    if !orphans.is_empty() {
        lines.push(format!("{} trainable but in no group: {}", count(orphans.len()), shorten(&orphans)));
    }
    for finding in findings {
        match finding {
            Finding::NoGroup { .. } => {}
            Finding::TwoGroups { parameter, groups } => {
                lines.push(format!("`{parameter}` is in {} groups: {}", groups.len(), groups.join(", ")))
            }
            Finding::Unknown { parameter, group } => {
                lines.push(format!("group `{group}` has `{parameter}`, which is no parameter of the model"))
            }
        }
    }
    let error = Error::new(lines.join("; "));
    if orphans.is_empty() { error } else { error.help("freeze them, or add them to a group (`unfreeze_and_add_param_group`)") }
}

fn count(parameters: usize) -> String {
    if parameters == 1 { "1 parameter is".to_owned() } else { format!("{parameters} parameters are") }
}

fn shorten(names: &[&str]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN { format!("{shown} and {} more", names.len() - SHOWN) } else { shown }
}
