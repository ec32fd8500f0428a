//! Modules that know one mode only.

use super::ModuleTree;

impl ModuleTree {
    /// Puts modules that know one mode only back into it, as `built` has them, the tree that the model gave.
    /// Batch norms that cannot leave training mode keep their stored statistics instead. Gives the paths of
    /// the modules that were set to another mode.
    pub fn hold_fixed_modes(&mut self, built: &Self) -> Vec<String> {
        let mut held = Vec::new();
        for (module, built) in self.modules.iter_mut().zip(&built.modules) {
            module.fixed_mode = built.fixed_mode;
            let Some(fixed) = built.fixed_mode.filter(|fixed| *fixed != module.training) else { continue };
            module.training = fixed;
            module.track_running_stats = module.track_running_stats.map(|tracking| tracking && !fixed);
            held.push(module.path.clone());
        }
        held
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::module_tree::{BatchNorm, Module};

    /// A root over two batch norms, of which the first was traced in evaluation mode, the second in training
    /// mode.
    fn traced() -> ModuleTree {
        let fixed = |path: &str, training| Module {
            training,
            fixed_mode: Some(training),
            ..Module::new(path, "BatchNorm2d")
        };
        ModuleTree::new(vec![Module::new("", "Net"), fixed("0", false), fixed("1", true)]).unwrap()
    }

    fn modes(tree: &ModuleTree) -> Vec<(bool, Option<bool>)> {
        tree.modules()[1..].iter().map(|module| (module.training, module.track_running_stats)).collect()
    }

    #[test]
    fn whatever_a_strategy_asks_for_the_mode_stays_and_the_module_is_named() {
        let built = traced();
        let mut tree = built.clone();
        tree.make_trainable("").unwrap();
        assert_eq!(tree.hold_fixed_modes(&built), ["0"]);
        assert_eq!(modes(&tree), [(false, Some(true)), (true, Some(true))]);
        tree.freeze("", BatchNorm::Eval).unwrap();
        assert_eq!(tree.hold_fixed_modes(&built), ["1"]);
        assert_eq!(
            modes(&tree)[1],
            (true, Some(false)),
            "stored statistics are left alone where evaluation was asked for"
        );
    }

    #[test]
    fn a_tree_that_a_plugin_of_an_older_api_sent_back_keeps_what_is_fixed() {
        let built = traced();
        let mut json = serde_json::to_value(&built).unwrap();
        for module in json["modules"].as_array_mut().unwrap() {
            module.as_object_mut().unwrap().remove("fixed_mode");
        }
        let mut tree: ModuleTree = serde_json::from_value(json).unwrap();
        tree.make_trainable("").unwrap();
        assert_eq!(tree.hold_fixed_modes(&built), ["0"]);
        let mut expected = built.clone();
        expected.make_trainable("1").unwrap();
        assert_eq!(tree, expected);
    }
}
