//! Phases of constant state.

use thaw_plugin_api::module_tree::{ModuleTree, is_within};
use thaw_plugin_api::optimizer::ParamGroup;

use super::{Plan, PlannedState};

/// Part of a run in which the same parameters train in the same groups and modes, under the same optimizer,
/// in steps of as many batches. Rates may differ inside.
pub struct PlannedPhase<'p> {
    /// Its states, at least one.
    states: &'p [PlannedState],
    first: &'p PlannedState,
}

impl Plan {
    /// The run in phases.
    pub fn phases(&self) -> impl Iterator<Item = PlannedPhase<'_>> {
        let chunks = self.states.chunk_by(|a, b| {
            a.tree == b.tree
                && a.optimizer == b.optimizer
                && a.accumulate_grad_batches == b.accumulate_grad_batches
                && same_groups(&a.groups, &b.groups)
        });
        chunks.filter_map(|states| Some(PlannedPhase { states, first: states.first()? }))
    }
}

fn same_groups(a: &[ParamGroup], b: &[ParamGroup]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.name == b.name && a.parameters == b.parameters)
}

impl PlannedPhase<'_> {
    /// The state that it starts with.
    pub fn first(&self) -> &PlannedState {
        self.first
    }

    /// The epochs, from 0, in which it begins and ends.
    pub fn epochs(&self) -> (usize, usize) {
        (self.first.epoch, self.states.last().map_or(self.first.epoch, |last| last.epoch))
    }

    /// Rates of a group by its position, one for each state.
    pub fn rates(&self, group: usize) -> Vec<f64> {
        self.states.iter().filter_map(|state| state.groups.get(group)).map(|group| group.lr).collect()
    }

    /// What strategies say of it.
    pub fn notes(&self) -> impl Iterator<Item = &str> {
        self.states.iter().flat_map(|state| &state.notes).map(String::as_str)
    }

    /// Numbers of parameters that train and that are frozen, tied ones once.
    pub fn parameters(&self) -> (u64, u64) {
        let firsts = self.first.tree.parameters().filter(|parameter| parameter.tied_to.is_none());
        firsts.fold((0, 0), |(trains, frozen), parameter| match parameter.requires_grad {
            true => (trains + parameter.numel(), frozen),
            false => (trains, frozen + parameter.numel()),
        })
    }

    /// Number of parameters that train in a group.
    pub fn parameters_of(&self, group: &ParamGroup) -> u64 {
        let known = group.parameters.iter().filter_map(|name| self.first.tree.parameter(name).ok());
        known.filter(|parameter| parameter.requires_grad).map(|parameter| parameter.numel()).sum()
    }

    /// The highest modules below which everything trains, batch norms aside.
    pub fn trainable_modules(&self) -> Vec<&str> {
        let tree = &self.first.tree;
        let mut names: Vec<&str> = Vec::new();
        for module in tree.modules() {
            if !names.iter().any(|top| is_within(&module.path, top)) && trains(tree, &module.path) {
                names.push(&module.path);
            }
        }
        names
    }
}

fn trains(tree: &ModuleTree, path: &str) -> bool {
    let Ok(within) = tree.subtree(path) else { return false };
    let mut parameters =
        within.filter(|module| !module.is_batch_norm()).flat_map(|module| &module.parameters).peekable();
    parameters.peek().is_some() && parameters.all(|parameter| parameter.requires_grad)
}
