//! The deepest stage boundary before which nothing trains or moves.

use thaw_plugin_api::module_tree::{Module, ModuleTree, Parameter, Stage, is_within};

use super::Hindrance;
use thaw_data::Split;

/// How many stages of the model give the same for a sample each time, by freeze state and modes; at least 1,
/// and the last stage is never among them.
///
/// In training every module of them is in evaluation mode. Validation has every module in that mode anyway:
/// there it takes that none of them changes its buffers while training, and none knows training mode only.
///
/// # Errors
/// There is none; what stands in the way of the first.
pub(super) fn boundary(tree: &ModuleTree, stages: &[Stage], split: Split) -> Result<usize, Hindrance> {
    if stages.len() < 2 {
        return Err(Hindrance::NoStages);
    }
    let is_known = |parameter: &Parameter| {
        stages.iter().any(|stage| tree.modules().iter().any(|module| uses(stage, module, &parameter.name)))
    };
    if let Some(parameter) = tree.parameters().find(|own| own.requires_grad && !is_known(own)) {
        return Err(Hindrance::NoStage { parameter: parameter.name.clone() });
    }
    for (index, stage) in stages[..stages.len() - 1].iter().enumerate() {
        match hindrance(tree, stage, split) {
            Some(_) if index > 0 => return Ok(index),
            Some(hindrance) => return Err(hindrance),
            None => {}
        }
    }
    Ok(stages.len() - 1)
}

/// Names of the tensors that the first stages may read: those of theirs, and those that are known to be of no
/// later one.
pub(super) fn tensors_before<'t>(
    tree: &'t ModuleTree,
    stages: &[Stage],
    cut: usize,
) -> impl Iterator<Item = &'t str> {
    let (before, after): (Vec<Stage>, Vec<Stage>) = (stages[..cut].to_vec(), stages[cut..].to_vec());
    let tensors = tree.modules().iter().flat_map(|module| {
        let parameters = module.parameters.iter().map(|parameter| parameter.name.as_str());
        let buffers = module.buffers.iter().map(|buffer| buffer.name.as_str());
        parameters.chain(buffers).map(move |name| (module, name))
    });
    tensors
        .filter(move |(module, name)| {
            let used_by = |stages: &[Stage]| stages.iter().any(|stage| uses(stage, module, name));
            used_by(&before) || !used_by(&after)
        })
        .map(|(_, name)| name)
}

/// Whether a stage names this tensor of a module, or the module, or one around it.
fn uses(stage: &Stage, module: &Module, tensor: &str) -> bool {
    let is_of_module = module.parameters.iter().any(|own| own.name == tensor)
        || module.buffers.iter().any(|own| own.name == tensor);
    is_of_module && stage.modules.iter().any(|name| name == tensor || is_within(&module.path, name))
}

fn hindrance(tree: &ModuleTree, stage: &Stage, split: Split) -> Option<Hindrance> {
    let trains = tree.modules().iter().find_map(|module| {
        module.parameters.iter().find(|own| own.requires_grad && uses(stage, module, &own.name))
    });
    if let Some(parameter) = trains {
        let (stage, parameter) = (stage.name.clone(), parameter.name.clone());
        return Some(Hindrance::Trains { stage, parameter });
    }
    let is_of_stage = |module: &Module| stage.modules.iter().any(|name| is_within(&module.path, name));
    let moving = tree.modules().iter().find(|module| is_of_stage(module) && is_moving(module, split))?;
    let (module, kind) = (moving.path.clone(), moving.kind.clone());
    Some(Hindrance::Mode { stage: stage.name.clone(), module, kind })
}

/// Whether a module may give something else for the same input next time.
fn is_moving(module: &Module, split: Split) -> bool {
    match split {
        Split::Train => module.training,
        Split::Val => {
            let is_tracking = module.track_running_stats != Some(false);
            module.fixed_mode == Some(true) || (module.training && is_tracking && !module.buffers.is_empty())
        }
    }
}

#[cfg(test)]
mod tests {
    use thaw_plugin_api::module_tree::{BatchNorm, TensorInfo};

    use super::*;

    fn module(path: &str, kind: &str, parameters: &[&str], buffers: &[&str]) -> Module {
        let name = |own: &&str| if path.is_empty() { (*own).to_owned() } else { format!("{path}.{own}") };
        let parameter =
            |own| Parameter { name: name(own), shape: vec![2], requires_grad: true, tied_to: None };
        Module {
            parameters: parameters.iter().map(parameter).collect(),
            buffers: buffers.iter().map(|own| TensorInfo { name: name(own), shape: vec![2] }).collect(),
            ..Module::new(path, kind)
        }
    }

    /// A token of the root's, two blocks of a backbone with a batch norm and a dropout, a head.
    fn tree() -> ModuleTree {
        ModuleTree::new(vec![
            module("", "Net", &["token"], &[]),
            module("stem", "Conv2d", &["weight"], &[]),
            module("backbone", "Sequential", &[], &[]),
            module("backbone.0", "BatchNorm2d", &["weight"], &["running_mean"]),
            module("backbone.1", "Dropout", &[], &[]),
            module("head", "Linear", &["weight"], &[]),
        ])
        .unwrap()
    }

    fn stages() -> Vec<Stage> {
        vec![
            Stage::new("stem", ["stem", "token"]),
            Stage::new("norm", ["backbone.0"]),
            Stage::new("drop", ["backbone.1"]),
            Stage::new("head", ["head"]),
        ]
    }

    fn frozen(paths: &[&str], batch_norm: BatchNorm) -> ModuleTree {
        let mut tree = tree();
        tree.set_requires_grad("token", false).unwrap();
        paths.iter().for_each(|path| tree.freeze(*path, batch_norm).unwrap());
        tree
    }

    #[test]
    fn the_boundary_lies_before_the_first_stage_that_trains() {
        let cut = |tree: &ModuleTree| boundary(tree, &stages(), Split::Train);
        assert_eq!(cut(&frozen(&["stem", "backbone"], BatchNorm::Eval)), Ok(3));
        assert_eq!(cut(&frozen(&["stem"], BatchNorm::Eval)), Ok(1));
        assert_eq!(cut(&frozen(&["stem", "backbone", "head"], BatchNorm::Eval)), Ok(3));
        let error = cut(&frozen(&["backbone"], BatchNorm::Eval)).unwrap_err();
        assert_eq!(error.to_string(), "`stem.weight` of the first stage, `stem`, trains");
        let mut with_token = frozen(&["stem", "backbone"], BatchNorm::Eval);
        with_token.set_requires_grad("token", true).unwrap();
        assert!(matches!(cut(&with_token), Err(Hindrance::Trains { parameter, .. }) if parameter == "token"));
    }

    #[test]
    fn a_batch_norm_on_batch_statistics_and_a_dropout_that_draws_stop_the_boundary() {
        for batch_norm in [BatchNorm::Train, BatchNorm::BatchStats] {
            let mut tree = frozen(&["stem"], BatchNorm::Eval);
            tree.freeze("backbone", batch_norm).unwrap();
            assert_eq!(boundary(&tree, &stages(), Split::Train), Ok(1), "{batch_norm:?}");
        }
        let mut tree = frozen(&["stem", "backbone"], BatchNorm::Eval);
        tree.make_trainable("backbone.1").unwrap();
        assert_eq!(boundary(&tree, &stages(), Split::Train), Ok(2));
        assert_eq!(boundary(&tree, &stages(), Split::Val), Ok(3), "validation drops nothing");
    }

    #[test]
    fn statistics_that_training_moves_stop_the_boundary_of_validation() {
        let mut tree = frozen(&["stem"], BatchNorm::Eval);
        tree.freeze("backbone", BatchNorm::BatchStats).unwrap();
        assert_eq!(boundary(&tree, &stages(), Split::Val), Ok(3));
        tree.freeze("backbone", BatchNorm::Train).unwrap();
        assert_eq!(boundary(&tree, &stages(), Split::Val), Ok(1));
    }

    #[test]
    fn a_parameter_of_no_stage_may_be_used_anywhere() {
        let stages = vec![Stage::new("stem", ["stem"]), Stage::new("head", ["head"])];
        let mut tree = frozen(&["stem"], BatchNorm::Eval);
        let error = boundary(&tree, &stages, Split::Train).unwrap_err();
        assert_eq!(error, Hindrance::NoStage { parameter: "backbone.0.weight".to_owned() });
        tree.freeze("backbone", BatchNorm::Eval).unwrap();
        assert_eq!(boundary(&tree, &stages, Split::Train), Ok(1));
        let watched: Vec<&str> = tensors_before(&tree, &stages, 1).collect();
        assert_eq!(watched, ["token", "stem.weight", "backbone.0.weight", "backbone.0.running_mean"]);
        assert_eq!(boundary(&tree, &stages[..1], Split::Train), Err(Hindrance::NoStages));
    }
}
