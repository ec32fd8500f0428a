//! A plan as JSON.

use serde_json::{Map, Value, json};
use thaw_plugin_api::module_tree::ModuleTree;

use super::phase::PlannedPhase;
use super::{Plan, PlannedState};

impl Plan {
    /// `phases` of constant state, and `epochs` with every state as a record of `groups.jsonl` has it.
    pub fn to_json(&self) -> Value {
        json!({
            "steps_per_epoch": self.steps_per_epoch,
            "phases": self.phases().map(|phase| of_phase(&phase)).collect::<Vec<_>>(),
            "epochs": self.states.iter().map(of_state).collect::<Vec<_>>(),
            "stopped": self.stopped,
        })
    }
}

fn of_phase(phase: &PlannedPhase<'_>) -> Value {
    let first = phase.first();
    let (from, to) = phase.epochs();
    let (trainable, frozen) = phase.parameters();
    let groups = first.groups.iter().enumerate().map(|(index, group)| {
        json!({
            "name": group.name, "lr": phase.rates(index), "weight_decay": group.weight_decay,
            "options": group.options,
            "parameters": phase.parameters_of(group),
        })
    });
    json!({
        "epochs": (from..=to).collect::<Vec<_>>(),
        "step": first.step,
        "trainable_modules": phase.trainable_modules(),
        "parameters": { "trainable": trainable, "frozen": frozen },
        "batch_norm": batch_norms(&first.tree),
        "accumulate_grad_batches": first.accumulate_grad_batches,
        "optimizer": first.optimizer,
        "groups": groups.collect::<Vec<_>>(),
        "notes": phase.notes().collect::<Vec<_>>(),
        "findings": first.findings,
    })
}

fn of_state(state: &PlannedState) -> Value {
    json!({
        "epoch": state.epoch, "step": state.step,
        "accumulate_grad_batches": state.accumulate_grad_batches,
        "optimizer": state.optimizer, "groups": state.groups,
        "trainable": state.tree.trainable(),
        "batch_norm": batch_norms(&state.tree), "notes": state.notes, "findings": state.findings,
    })
}

fn batch_norms(tree: &ModuleTree) -> Map<String, Value> {
    let norms = tree.modules().iter().filter(|module| module.is_batch_norm());
    let modes = norms.map(|module| {
        (
            module.path.clone(),
            json!({ "training": module.training, "track_running_stats": module.track_running_stats }),
        )
    });
    modes.collect()
}
