//! The whole freeze state at once: a selection trains, everything else is frozen.

use std::collections::HashSet;

use super::{BatchNorm, ModuleTree, Selection, is_within, parent_of};

impl ModuleTree {
    /// Makes the selection trainable and freezes everything else; `batch_norm` says what batch norms of the
    /// frozen parts do, and the mode that those are in.
    ///
    /// A module without parameters that is not selected itself (dropout, pooling) goes with the module around
    /// it: it is frozen where nothing in there trains. Right below the root it trains.
    pub fn train_only(&mut self, selection: &Selection, batch_norm: BatchNorm) {
        let parameters: HashSet<&str> = selection.parameters.iter().map(String::as_str).collect();
        let selected: HashSet<&str> = selection.modules.iter().map(String::as_str).collect();
        let trains: Vec<bool> =
            (0..self.modules().len()).map(|index| self.trains(index, &selected, &parameters)).collect();
        for (module, trains) in self.modules_mut().iter_mut().zip(trains) {
            let is_free_norm = module.is_batch_norm() && batch_norm == BatchNorm::Train;
            for parameter in &mut module.parameters {
                parameter.requires_grad = is_free_norm || parameters.contains(parameter.storage());
            }
            module.training = trains || batch_norm != BatchNorm::Eval;
            module.track_running_stats = module.track_running_stats.map(|tracks| match batch_norm {
                _ if trains => true,
                BatchNorm::Train => true,
                BatchNorm::BatchStats => false,
                BatchNorm::Eval => tracks,
            });
        }
    }

    fn trains(&self, index: usize, selected: &HashSet<&str>, parameters: &HashSet<&str>) -> bool {
        let module = &self.modules()[index];
        if selected.contains(module.path.as_str()) {
            return true;
        }
        if !module.parameters.is_empty() {
            return module.parameters.iter().any(|parameter| parameters.contains(parameter.storage()));
        }
        let mut around = module.path.as_str();
        loop {
            let within = self.modules().iter().filter(|module| is_within(&module.path, around));
            let mut owned = within.flat_map(|module| &module.parameters).peekable();
            if around.is_empty() {
                return true;
            }
            if owned.peek().is_some() {
                return owned.any(|parameter| parameters.contains(parameter.storage()));
            }
            around = parent_of(around).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::testing::FakeModel;

    fn tree() -> Result<ModuleTree> {
        FakeModel::new()
            .sequential("backbone", |backbone| {
                let block = |block: FakeModel| {
                    block
                        .conv2d("conv", 8, 8, 3)
                        .batch_norm("bn", 8)
                        .module("drop", "Sequential", |d| d.dropout("0"))
                };
                backbone.module("0", "Block", block).module("1", "Block", block).dropout("2")
            })
            .dropout("dropout")
            .linear("head", 8, 4)
            .tree()
    }

    fn training(tree: &ModuleTree) -> Vec<&str> {
        tree.modules()
            .iter()
            .filter(|module| module.training && !module.path.is_empty())
            .map(|module| module.path.as_str())
            .collect()
    }

    #[test]
    fn what_is_not_selected_is_frozen_with_its_dropouts() -> Result<()> {
        let mut tree = tree()?;
        tree.train_only(&tree.select(["head"])?, BatchNorm::Eval);
        assert_eq!(tree.trainable(), ["head.weight", "head.bias"]);
        assert_eq!(training(&tree), ["dropout", "head"]);

        tree.train_only(&tree.select(["head", "backbone.1"])?, BatchNorm::Eval);
        assert_eq!(
            training(&tree),
            [
                "backbone",
                "backbone.1",
                "backbone.1.conv",
                "backbone.1.bn",
                "backbone.1.drop",
                "backbone.1.drop.0",
                "backbone.2",
                "dropout",
                "head"
            ]
        );

        // And back again.
        tree.train_only(&tree.select(["head"])?, BatchNorm::Eval);
        assert_eq!(training(&tree), ["dropout", "head"]);
        Ok(())
    }

    #[test]
    fn batch_norms_of_frozen_parts_do_as_told() -> Result<()> {
        let mut tree = tree()?;
        let head = tree.select(["head"])?;
        tree.train_only(&head, BatchNorm::BatchStats);
        let norm = tree.get("backbone.0.bn")?;
        assert_eq!((norm.training, norm.track_running_stats), (true, Some(false)));
        tree.train_only(&head, BatchNorm::Train);
        let norm = tree.get("backbone.0.bn")?;
        assert_eq!((norm.training, norm.track_running_stats), (true, Some(true)));
        assert_eq!(tree.trainable().len(), 6, "batch norms train with the head");
        Ok(())
    }

    #[test]
    fn tied_parameters_train_under_each_name() -> Result<()> {
        let mut tree = FakeModel::new()
            .embedding("embed", 4, 8)
            .linear("body", 8, 8)
            .linear("out", 8, 4)
            .tie("out.weight", "embed.weight")
            .tree()?;
        tree.train_only(&tree.select(["out"])?, BatchNorm::Eval);
        assert!(tree.parameter("embed.weight")?.requires_grad && tree.parameter("out.weight")?.requires_grad);
        assert!(!tree.parameter("body.weight")?.requires_grad);
        Ok(())
    }
}
