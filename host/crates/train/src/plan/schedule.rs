//! A starting schedule for `phased-finetuning`, from the stages that a model declares.

use std::fmt::Write as _;
use std::path::Path;

use thaw_plugin_api::context::CheckpointName;
use thaw_plugin_api::module_tree::{ModuleTree, Selection};

use crate::Error;
use crate::config::RunConfig;
use crate::error::FitError;
use crate::parts::{create_model, optimizer_config};
use thaw_plugins::PluginSet;

/// Share of the rate that the first stage below the head gets: Lightning's `backbone_initial_ratio_lr`.
const BACKBONE_RATIO: f64 = 0.1;
/// Share of the rate from one stage to the one below it.
const STAGE_RATIO: f64 = 0.5;

/// A phase to write.
struct Phase<'m> {
    name: &'m str,
    modules: Vec<&'m str>,
    lr: f64,
}

/// The schedule as TOML: the head first, at the run's rate, then stage by stage from the top down, at falling
/// rates. The run's epochs are shared out; where they are fewer than the stages, some phases have several.
/// `path` is where it will lie.
///
/// # Errors
/// The model cannot be built, or declares no stages.
pub fn starting_schedule(config: &RunConfig, plugins: &PluginSet, path: &Path) -> Result<String, Error> {
    let model = create_model(config, plugins)?;
    let lr = optimizer_config(config, &model)?.lr;
    let no_stages = || {
        let reason = "declares no stages with parameters, so that there is nothing to make a schedule of; \
                      write one by hand";
        FitError::Config(format!("model `{}` {reason}", model.id()))
    };
    let tree = model.tree();
    let stages = phases(tree, lr).ok_or_else(no_stages)?;
    let merged = merge(stages, config.trainer.max_epochs.max(1));
    Ok(text(&config.model.id, path, &merged, config.trainer.max_epochs))
}

/// A phase for each stage with parameters of its own, the last stage first; what no stage has goes with the
/// lowest one.
fn phases(tree: &ModuleTree, lr: f64) -> Option<Vec<Phase<'_>>> {
    let mut covered = Selection::default();
    let mut phases: Vec<Phase<'_>> = Vec::new();
    for stage in tree.stages().iter().rev() {
        let own: Vec<&str> =
            stage.modules.iter().map(String::as_str).filter(|module| adds(tree, &covered, module)).collect();
        if own.is_empty() {
            continue;
        }
        covered.extend(tree.select(&own).ok()?);
        let lr = match phases.last() {
            None => lr,
            Some(above) => above.lr * if phases.len() == 1 { BACKBONE_RATIO } else { STAGE_RATIO },
        };
        phases.push(Phase { name: &stage.name, modules: own, lr });
    }
    let left = tree.parameters().map(|parameter| parameter.name.as_str()).filter(|name| {
        let storage = tree.parameter(name).map(|parameter| parameter.storage().to_owned());
        storage.is_ok_and(|storage| !covered.parameters.contains(&storage))
    });
    let left: Vec<&str> = left.collect();
    phases.last_mut()?.modules.extend(left);
    Some(phases)
}

/// Whether a module has parameters that no stage above has.
fn adds(tree: &ModuleTree, covered: &Selection, module: &str) -> bool {
    tree.select([module])
        .is_ok_and(|selection| selection.parameters.iter().any(|name| !covered.parameters.contains(name)))
}

/// At most `count` phases: the head alone as long as there are two, the others in even parts.
fn merge(phases: Vec<Phase<'_>>, count: usize) -> Vec<Phase<'_>> {
    let (below, parts) = (phases.len() - 1, count.min(phases.len()).saturating_sub(1));
    let mut merged: Vec<Phase<'_>> = Vec::new();
    let mut part = None;
    for (index, phase) in phases.into_iter().enumerate() {
        let own = (index > 0 && parts > 0).then(|| (index - 1) * parts / below);
        match merged.last_mut().filter(|_| index > 0 && own == part) {
            Some(last) => last.modules.extend(phase.modules),
            None => merged.push(phase),
        }
        part = own;
    }
    merged
}

fn text(model: &str, path: &Path, phases: &[Phase<'_>], max_epochs: usize) -> String {
    let path = path.display().to_string();
    let mut text = format!(
        "# A starting schedule for `{model}`: the head first, then from the top stage downwards.\n\
         #\n\
         # [[callbacks]]\n\
         # id = \"phased-finetuning\"\n\
         # schedule = {path:?}\n\
         #\n\
         # `end` may also be {{ after_epochs = 2 }}, {{ step = 500 }}, or a metric:\n\
         # {{ monitor = {{ metric = \"val_loss\", patience = 3, min_delta = 0.0, mode = \"min\" }} }}, with \
         restore_best = true\n\
         # for its best weights. `host plugin inspect phased_finetuning` tells every key.\n\n\
         frozen_bn = \"eval\"\n"
    );
    for (index, phase) in phases.iter().enumerate() {
        let modules: Vec<String> = phase.modules.iter().map(|module| format!("{module:?}")).collect();
        let name: String =
            phase.name.chars().map(|c| if CheckpointName::allows(c) { c } else { '-' }).collect();
        let _ = write!(
            text,
            "\n[[phases]]\nname = {name:?}\nmodules = [{}]\nlr = {}\n",
            modules.join(", "),
            rounded(phase.lr)
        );
        if index + 1 < phases.len() {
            let _ = writeln!(text, "end = {{ epoch = {} }}", (index + 1) * max_epochs / phases.len());
        }
    }
    text
}

/// A rate with four digits, as TOML writes it: `3e-4`, not `0.00030000000000000003`.
fn rounded(lr: f64) -> String {
    let short: f64 = format!("{lr:.3e}").parse().unwrap_or(lr);
    if short == 0.0 { "0.0".to_owned() } else { format!("{short:e}") }
}

#[cfg(test)]
mod tests {
    use thaw_plugin_api::testing::FakeModel;

    use super::*;

    fn tree() -> ModuleTree {
        let model = FakeModel::new()
            .parameter("cls", &[1])
            .linear("stem", 4, 4)
            .linear("low", 4, 4)
            .linear("high", 4, 4);
        let model = model.relu("pool").linear("head", 4, 2);
        let staged = model
            .stage("stem", ["stem"])
            .stage("low", ["low"])
            .stage("high", ["high"])
            .stage("pool", ["pool"]);
        staged.stage("head", ["head"]).tree().unwrap()
    }

    fn names(epochs: usize) -> Vec<(String, Vec<String>)> {
        let tree = tree();
        let merged = merge(phases(&tree, 1e-3).unwrap(), epochs);
        merged
            .iter()
            .map(|phase| {
                (phase.name.to_owned(), phase.modules.iter().map(|&module| module.to_owned()).collect())
            })
            .collect()
    }

    fn expected(phases: &[(&str, &[&str])]) -> Vec<(String, Vec<String>)> {
        let owned = |modules: &&[&str]| modules.iter().map(|&module| module.to_owned()).collect();
        phases.iter().map(|(name, modules)| ((*name).to_owned(), owned(modules))).collect()
    }

    #[test]
    fn stages_thaw_from_the_head_down_and_what_has_none_comes_last() {
        assert_eq!(
            names(9),
            expected(&[
                ("head", &["head"]),
                ("high", &["high"]),
                ("low", &["low"]),
                ("stem", &["stem", "cls"])
            ])
        );
    }

    #[test]
    fn few_epochs_have_several_stages_each() {
        assert_eq!(
            names(3),
            expected(&[("head", &["head"]), ("high", &["high", "low"]), ("stem", &["stem", "cls"])])
        );
        assert_eq!(names(1), expected(&[("head", &["head", "high", "low", "stem", "cls"])]));
    }

    #[test]
    fn rates_fall_and_read_well() {
        let tree = tree();
        let rates: Vec<String> = phases(&tree, 3e-3).unwrap().iter().map(|phase| rounded(phase.lr)).collect();
        assert_eq!(rates, ["3e-3", "3e-4", "1.5e-4", "7.5e-5"]);
    }
}
