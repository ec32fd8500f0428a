//! The part of a model that another library calls by its own name, and a shipped model `backbone`.

use super::{ModuleTree, is_within, parent_of};

impl ModuleTree {
    /// The only one of the top modules that holds a list of layers: `bert` beside `classifier`.
    pub(super) fn trunk(&self) -> Option<&str> {
        let paths = self.modules.iter().map(|module| module.path.as_str());
        let mut trunks = paths.filter(|path| parent_of(path) == Some("")).filter(|path| self.has_list(path));
        trunks.next().filter(|_| trunks.next().is_none())
    }

    /// Whether there is a list of blocks, or of several layers: a `classifier` may be a list of one.
    fn has_list(&self, path: &str) -> bool {
        let mut lists = self.modules.iter().filter(|module| module.iterable && is_within(&module.path, path));
        lists.any(|list| {
            let children = self.modules.iter().filter(|child| parent_of(&child.path) == Some(&list.path));
            let (own, below) = children.fold((0, 0), |(own, below), child| {
                let within = self.modules.iter().filter(|module| is_within(&module.path, &child.path));
                let all: usize = within.map(|module| module.parameters.len()).sum();
                let of_child = child.parameters.len();
                (own + usize::from(of_child > 0), below + usize::from(all > of_child))
            });
            below > 0 || own > 1
        })
    }
}
