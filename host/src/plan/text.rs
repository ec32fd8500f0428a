//! A plan as text.

use std::fmt::Write as _;

use thaw_plugin_api::module_tree::ModuleTree;

use super::{Plan, PlannedEpoch};
use crate::progress::{batch_norms, count};

impl Plan {
    /// The phases, one below the other.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for phase in self.phases() {
            let (Some(first), Some(last)) = (phase.first(), phase.last()) else { continue };
            let epochs = if first.epoch == last.epoch {
                format!("epoch {}", first.epoch + 1)
            } else {
                format!("epochs {} to {}", first.epoch + 1, last.epoch + 1)
            };
            let _ = writeln!(text, "{epochs}");
            let _ = writeln!(text, "  trains      {}", trainable_modules(&first.tree));
            let (trains, frozen) =
                first.tree.parameters().filter(|parameter| parameter.tied_to.is_none()).fold((0, 0), |sum, parameter| {
                    if parameter.requires_grad { (sum.0 + parameter.numel(), sum.1) } else { (sum.0, sum.1 + parameter.numel()) }
                });
            let _ = writeln!(text, "  parameters  {} train, {} frozen", count(trains), count(frozen));
            let norms = batch_norms(&first.tree);
            if !norms.is_empty() {
                let _ = writeln!(text, "  batch norm  {norms}");
            }
            for index in 0..first.groups.len() {
                let _ = writeln!(text, "  group {:<12} {}", first.groups[index].name, rates(phase, index));
            }
            for finding in &first.findings {
                let _ = writeln!(text, "  ! {finding}");
            }
            text.push('\n');
        }
        if self.rates_follow_steps {
            let _ = writeln!(text, "rates follow steps, with {} a epoch; --steps-per-epoch takes the real number", self.steps_per_epoch);
        }
        text
    }
}

/// The rates of a group over a phase: one, or from first to last.
fn rates(phase: &[PlannedEpoch], index: usize) -> String {
    let rates: Vec<f64> = phase.iter().filter_map(|epoch| epoch.groups.get(index)).map(|group| group.lr).collect();
    match rates.as_slice() {
        [] => String::new(),
        [first, rest @ ..] if rest.iter().all(|rate| rate == first) => format!("lr {first:.3e}"),
        all => format!("lr {}", all.iter().map(|rate| format!("{rate:.3e}")).collect::<Vec<_>>().join(", ")),
    }
}

/// The highest modules below which everything trains, batch norms aside.
fn trainable_modules(tree: &ModuleTree) -> String {
    let mut names: Vec<&str> = Vec::new();
    for module in tree.modules() {
        let is_below = |top: &str| top.is_empty() || module.path.strip_prefix(top).is_some_and(|rest| rest.starts_with('.'));
        if names.iter().any(|top| is_below(top)) {
            continue;
        }
        let Ok(within) = tree.subtree(&module.path) else { continue };
        let mut parameters = within.filter(|module| !module.is_batch_norm()).flat_map(|module| &module.parameters).peekable();
        if parameters.peek().is_some() && parameters.all(|parameter| parameter.requires_grad) {
            names.push(&module.path);
        }
    }
    let some_norms = |trains: bool| {
        let mut norms = tree.modules().iter().filter(|module| module.is_batch_norm()).flat_map(|module| &module.parameters);
        norms.any(|parameter| parameter.requires_grad == trains)
    };
    let norms = match (names.as_slice(), some_norms(true), some_norms(false)) {
        ([""], _, true) => " but batch norms",
        ([], true, _) => "batch norms only",
        _ => "",
    };
    match names.as_slice() {
        [] if norms.is_empty() => "nothing".to_owned(),
        [""] => format!("the whole model{norms}"),
        names => format!("{}{norms}", names.join(", ")),
    }
}
