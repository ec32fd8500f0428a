//! Parameter groups: which parameters train together, at which rate.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// A named set of parameters with one rate, as one entry of PyTorch's `optimizer.param_groups`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamGroup {
    /// The group's name, unique in a run; every log and checkpoint uses it.
    pub name: String,
    /// Learning rate now.
    pub lr: f64,
    /// Rate the group started with: what schedulers scale. PyTorch's `initial_lr`.
    pub initial_lr: f64,
    /// Weight decay (L2 penalty in SGD and Adam, decoupled in AdamW).
    pub weight_decay: f64,
    /// Names of the parameters, in the order in which they were added.
    pub parameters: Vec<String>,
    /// Further options of the optimizer in this group (`momentum`, `beta1`, …) where they differ from its
    /// defaults.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, f64>,
}

/// The optimizer as a strategy sees it: its groups, which it may change and add to.
///
/// The host keeps moments and steps by parameter name and applies the changes when the hook returns.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Optimizer {
    /// `sgd`, `adam`, `adamw`, ….
    id: String,
    /// Rate that the run config gives.
    lr: f64,
    /// Weight decay of new groups.
    weight_decay: f64,
    groups: Vec<ParamGroup>,
    #[serde(skip)]
    changed: bool,
}

/// Equal are optimizers of equal groups and settings, whether or not somebody changed them to become so.
impl PartialEq for Optimizer {
    fn eq(&self, other: &Self) -> bool {
        (&self.id, self.lr, self.weight_decay, &self.groups)
            == (&other.id, other.lr, other.weight_decay, &other.groups)
    }
}

impl Optimizer {
    /// An optimizer of this kind with the run config's rate and weight decay, and its first groups.
    pub fn new(id: impl Into<String>, lr: f64, weight_decay: f64, groups: Vec<ParamGroup>) -> Self {
        Self { id: id.into(), lr, weight_decay, groups, changed: false }
    }

    /// `sgd`, `adam`, `adamw`, ….
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Another optimizer with these groups, without options of their own.
    pub(crate) fn replaced_by(&self, id: String) -> Self {
        let mut groups = self.groups.clone();
        groups.iter_mut().for_each(|group| group.options.clear());
        Self { id, groups, ..*self }
    }

    /// The rate in the run config.
    pub fn lr(&self) -> f64 {
        self.lr
    }

    /// The groups in the order in which they were added.
    pub fn groups(&self) -> &[ParamGroup] {
        &self.groups
    }

    /// The groups to change.
    pub fn groups_mut(&mut self) -> &mut [ParamGroup] {
        self.changed = true;
        &mut self.groups
    }

    /// A group by position.
    ///
    /// # Errors
    /// There are fewer groups.
    pub fn group(&self, index: usize) -> Result<&ParamGroup> {
        self.groups.get(index).ok_or_else(|| no_group(&self.groups, index))
    }

    /// A group by name, to change.
    ///
    /// # Errors
    /// No group has this name; the names are told.
    pub fn group_named(&mut self, name: &str) -> Result<&mut ParamGroup> {
        self.changed = true;
        let position = self.groups.iter().position(|group| group.name == name);
        let position = position.ok_or_else(|| no_group(&self.groups, format_args!("`{name}`")))?;
        Ok(&mut self.groups[position])
    }

    /// The group that a parameter is in.
    pub fn group_of(&self, parameter: &str) -> Option<&ParamGroup> {
        self.groups.iter().find(|group| group.parameters.iter().any(|name| name == parameter))
    }

    /// An empty group with the optimizer's defaults and a name that no other group has (`name`, `name-2`, …).
    pub fn new_group(&self, name: &str, lr: f64) -> ParamGroup {
        let names: BTreeSet<&str> = self.groups.iter().map(|group| group.name.as_str()).collect();
        let mut unique = name.to_owned();
        let mut count = 2;
        while names.contains(unique.as_str()) {
            unique = format!("{name}-{count}");
            count += 1;
        }
        ParamGroup {
            name: unique,
            lr,
            initial_lr: lr,
            weight_decay: self.weight_decay,
            parameters: Vec::new(),
            options: BTreeMap::new(),
        }
    }

    /// Adds a group (PyTorch's `optimizer.add_param_group`). Its optimizer state starts empty.
    ///
    /// # Errors
    /// The name is taken, a parameter is in a group already, or a number is out of its range.
    pub fn add_param_group(&mut self, group: ParamGroup) -> Result<()> {
        let mut groups = self.groups.clone();
        groups.push(group);
        self.set_groups(groups)
    }

    /// Replaces all groups: for strategies that lay the groups out anew. Optimizer state goes with the
    /// parameters.
    ///
    /// # Errors
    /// As [`Self::add_param_group`].
    pub fn set_groups(&mut self, groups: Vec<ParamGroup>) -> Result<()> {
        check_groups(&groups)?;
        self.groups = groups;
        self.changed = true;
        Ok(())
    }

    /// Checks what [`Self::groups_mut`] leaves to its caller: names are unique, a parameter is in one group,
    /// rates and weight decays are numbers of at least 0. The host does so whenever a hook changed something.
    ///
    /// # Errors
    /// The first group that does not fit, and why.
    pub fn check(&self) -> Result<()> {
        check_groups(&self.groups)
    }

    /// Whether anything was changed since it was made or [`Self::mark_unchanged`] was called.
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Takes the groups as they are for the state to compare with.
    pub fn mark_unchanged(&mut self) {
        self.changed = false;
    }
}

/// The error of whoever asks for the optimizer before it is built.
pub fn no_optimizer() -> Error {
    Error::new("there is no optimizer yet")
        .help("it is built after `setup` and `freeze_before_training`; use `on_fit_start`")
}

/// Sets the rate of the group of this name.
///
/// # Errors
/// No group has this name, or the rate is no number of at least 0.
pub fn set_lr(groups: &mut [ParamGroup], name: &str, lr: f64) -> Result<()> {
    // Not `< 0.0`: NaN is to be refused, too.
    if !(lr >= 0.0 && lr.is_finite()) {
        return Err(Error::of(
            ErrorKind::Groups,
            format_args!("`lr` of group `{name}` is {lr}, expected a number of at least 0"),
        ));
    }
    match groups.iter().position(|group| group.name == name) {
        Some(position) => groups[position].lr = lr,
        None => return Err(no_group(groups, format_args!("`{name}`"))),
    }
    Ok(())
}

fn no_group(groups: &[ParamGroup], which: impl std::fmt::Display) -> Error {
    let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
    let there_are = if names.is_empty() {
        "it has none".to_owned()
    } else {
        format!("its groups are: {}", names.join(", "))
    };
    Error::new(format_args!("the optimizer has no group {which}; {there_are}"))
}

fn check_groups(groups: &[ParamGroup]) -> Result<()> {
    let mut names = BTreeSet::new();
    let mut homes: HashMap<&str, &str> = HashMap::new();
    for group in groups {
        let name = group.name.as_str();
        if !names.insert(name) {
            return Err(Error::of(ErrorKind::Groups, format_args!("there are two groups `{name}`"))
                .help("`Optimizer::new_group` finds a free name"));
        }
        for (what, number) in
            [("lr", group.lr), ("initial_lr", group.initial_lr), ("weight_decay", group.weight_decay)]
        {
            // Not `< 0.0`: NaN is to be refused, too.
            if !(number >= 0.0 && number.is_finite()) {
                return Err(Error::of(
                    ErrorKind::Groups,
                    format_args!("`{what}` of group `{name}` is {number}, expected a number of at least 0"),
                ));
            }
        }
        if let Some((option, number)) = group.options.iter().find(|(_, number)| !number.is_finite()) {
            return Err(Error::of(
                ErrorKind::Groups,
                format_args!("`{option}` of group `{name}` is {number}, expected a number"),
            ));
        }
        for parameter in &group.parameters {
            if let Some(known) = homes.insert(parameter, name) {
                return Err(Error::of(
                    ErrorKind::Groups,
                    format_args!("parameter `{parameter}` of group `{name}` is in group `{known}` already"),
                ));
            }
        }
    }
    Ok(())
}
