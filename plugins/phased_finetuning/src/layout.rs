//! What a phase makes of the model and the optimizer.

use std::collections::HashSet;

use thaw_plugin_api::module_tree::Selection;
use thaw_plugin_api::prelude::*;

use crate::phase::Phase;

/// All that trains in the last of these phases.
pub(crate) fn selection(model: &ModuleTree, phases: &[Phase]) -> Result<Selection> {
    let mut trains = Selection::default();
    for phase in phases {
        let mut thaws = model.select(&phase.modules)?;
        if !phase.train_bn {
            thaws.remove(&batch_norms(model, &thaws)?);
        }
        trains.extend(thaws);
        trains.remove(&model.select(&phase.freeze)?);
    }
    Ok(trains)
}

fn batch_norms(model: &ModuleTree, of: &Selection) -> Result<Selection> {
    let norms = of.modules.iter().filter(|path| model.get(path).is_ok_and(Module::is_batch_norm));
    if norms.clone().next().is_none() { Ok(Selection::default()) } else { model.select(norms) }
}

/// Says so where `[optimizer]` names parameters that the first phase leaves frozen.
pub(crate) fn warn_of_parameters(model: &ModuleTree, optimizer: &Optimizer) {
    let trainable = model.trainable();
    let named = optimizer.groups().iter().flat_map(|group| &group.parameters);
    let frozen: Vec<&str> = named.map(String::as_str).filter(|name| !trainable.contains(name)).collect();
    if !frozen.is_empty() {
        warn!(
            "`parameters` of [optimizer] has no effect, phases alone say what trains; the first one leaves \
             frozen: {}",
            frozen.join(", ")
        );
    }
}

/// Puts what trains and has no group yet into a group of the phase; what is frozen leaves its group, and a
/// group without parameters goes. Groups go back to the rate that they began with where a scheduler starts
/// anew, or that of the phase before ends.
pub(crate) fn regroup(
    model: &ModuleTree,
    optimizer: &mut Optimizer,
    phase: &Phase,
    before: Option<&Phase>,
) -> Result<()> {
    let trainable = model.trainable();
    let mut groups = if before.is_none() { Vec::new() } else { optimizer.groups().to_vec() };
    let is_over = before.is_some_and(|before| before.scheduler.is_some());
    for group in &mut groups {
        group.parameters.retain(|name| trainable.contains(&name.as_str()));
        if phase.scheduler.is_some() || is_over {
            group.lr = group.initial_lr;
        }
        if let Some(lr) = phase.group_lr.get(&group.name) {
            (group.lr, group.initial_lr) = (*lr, *lr);
        }
    }
    groups.retain(|group| !group.parameters.is_empty());
    let held: HashSet<&str> = groups.iter().flat_map(|group| &group.parameters).map(String::as_str).collect();
    let new: Vec<String> =
        trainable.into_iter().filter(|name| !held.contains(name)).map(str::to_owned).collect();
    optimizer.set_groups(groups)?;
    if new.is_empty() {
        ensure!(
            !phase.has_group_settings(),
            "all of `modules` trains already, so that `lr`, `weight_decay` and `optimizer` act on nothing"
        );
        return Ok(());
    }
    let lr = match (&phase.lr, optimizer.groups().first()) {
        (Some(lr), _) => lr.resolve(optimizer)?,
        (None, Some(first)) => first.lr / 10.0,
        (None, None) => optimizer.lr(),
    };
    let mut group = optimizer.new_group(&phase.name, lr);
    group.weight_decay = phase.weight_decay.unwrap_or(group.weight_decay);
    group.options = phase.optimizer.of_group().cloned().unwrap_or_default();
    group.parameters = new;
    optimizer.add_param_group(group)
}
