//! Choosing modules and parameters by path or glob, as run configs name them.

use std::collections::HashSet;

use globset::GlobBuilder;

use super::ModuleTree;
use crate::error::{Error, Result};

/// What patterns choose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Paths of the chosen modules, in registration order: those in a chosen one, and those that own a chosen
    /// parameter.
    pub modules: Vec<String>,
    /// Names of the chosen parameters, in state_dict order; a tied one under the name that stands for its
    /// storage.
    pub parameters: Vec<String>,
}

impl Selection {
    /// Adds what another one chooses.
    pub fn extend(&mut self, other: Self) {
        for (own, others) in [(&mut self.modules, other.modules), (&mut self.parameters, other.parameters)] {
            let new: Vec<String> = others.into_iter().filter(|name| !own.contains(name)).collect();
            own.extend(new);
        }
    }

    /// Takes off what another one chooses.
    pub fn remove(&mut self, other: &Self) {
        self.modules.retain(|path| !other.modules.contains(path));
        self.parameters.retain(|name| !other.parameters.contains(name));
    }
}

impl ModuleTree {
    /// What the patterns choose together. A pattern is a module path, which stands for the module and all
    /// below it, or a glob over module paths and parameter names (`*` crosses dots): `backbone.layer4`,
    /// `*.bias`, `blocks.[0-3]`.
    ///
    /// # Errors
    /// A malformed glob, or a pattern that fits nothing; the nearest path is named.
    pub fn select<P: AsRef<str>>(&self, patterns: impl IntoIterator<Item = P>) -> Result<Selection> {
        let mut tops: Vec<bool> = vec![false; self.modules.len()];
        let mut chosen: Vec<Vec<bool>> =
            self.modules.iter().map(|module| vec![false; module.parameters.len()]).collect();
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let mut fits = false;
            if let Ok(index) = self.index_of(pattern) {
                tops[index] = true;
                continue;
            }
            let glob = GlobBuilder::new(pattern).build();
            let glob = glob.map_err(|error| {
                Error::new(format_args!("`{pattern}` is no module and no glob: {}", error.kind()))
            })?;
            let glob = glob.compile_matcher();
            for (index, module) in self.modules.iter().enumerate() {
                if !module.path.is_empty() && glob.is_match(&module.path) {
                    tops[index] = true;
                    fits = true;
                }
                for (position, parameter) in module.parameters.iter().enumerate() {
                    if glob.is_match(&parameter.name) {
                        chosen[index][position] = true;
                        fits = true;
                    }
                }
            }
            if !fits {
                let paths = self.modules.iter().map(|module| module.path.as_str());
                return Err(super::not_found("module or parameter", pattern, paths));
            }
        }
        let tops: Vec<&str> = self
            .modules
            .iter()
            .zip(&tops)
            .filter(|(_, top)| **top)
            .map(|(module, _)| module.path.as_str())
            .collect();
        let mut selection = Selection::default();
        let mut seen = HashSet::new();
        for (module, chosen) in self.modules.iter().zip(&chosen) {
            let whole = tops.iter().any(|top| super::is_within(&module.path, top));
            if whole || chosen.contains(&true) {
                selection.modules.push(module.path.clone());
            }
            for (parameter, _) in module.parameters.iter().zip(chosen).filter(|(_, chosen)| whole || **chosen)
            {
                if seen.insert(parameter.storage()) {
                    selection.parameters.push(parameter.storage().to_owned());
                }
            }
        }
        Ok(selection)
    }

    /// Makes the chosen parameters trainable and puts the chosen modules into training mode, their batch
    /// norms tracking statistics.
    pub fn make_selection_trainable(&mut self, selection: &Selection) {
        let modules: HashSet<&str> = selection.modules.iter().map(String::as_str).collect();
        let parameters: HashSet<&str> = selection.parameters.iter().map(String::as_str).collect();
        for module in self.modules_mut() {
            if modules.contains(module.path.as_str()) {
                module.training = true;
                module.track_running_stats = module.track_running_stats.map(|_| true);
            }
            for parameter in &mut module.parameters {
                parameter.requires_grad |= parameters.contains(parameter.storage());
            }
        }
    }
}
