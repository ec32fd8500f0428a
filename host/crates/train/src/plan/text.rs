//! A plan as text.

use std::fmt::Write as _;

use thaw_plugin_api::module_tree::ModuleTree;

use super::phase::PlannedPhase;
use super::{Plan, batch_norms, count};
use thaw_terminal::aligned;
use thaw_terminal::escape::{escape, excerpt};

impl Plan {
    /// The phases, one below the other.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for phase in self.phases() {
            write_phase(&mut text, &phase, self.steps_change);
            text.push('\n');
        }
        if let Some(reason) = &self.stopped {
            let _ = writeln!(text, "the run ends here: {}", excerpt(&escape(reason)));
        }
        if self.rates_follow_steps {
            let _ = writeln!(
                text,
                "rates follow steps, with {} {} epoch; --steps-per-epoch takes the real number",
                self.steps_per_epoch,
                if self.steps_change { "in the first" } else { "an" }
            );
        }
        text
    }
}

fn write_phase(text: &mut String, phase: &PlannedPhase<'_>, steps_change: bool) {
    let first = phase.first();
    let (from, to) = phase.epochs();
    let inside = if first.inside_epoch { format!(" from step {}", first.step) } else { String::new() };
    let _ = if from == to {
        writeln!(text, "epoch {}{inside}", from + 1)
    } else {
        writeln!(text, "epochs {}{inside} to {}", from + 1, to + 1)
    };
    let _ = writeln!(text, "  trains      {}", trainable(phase));
    let (trains, frozen) = phase.parameters();
    let _ = writeln!(text, "  parameters  {} train, {} frozen", count(trains), count(frozen));
    let norms = batch_norms(&first.tree);
    if !norms.is_empty() {
        let _ = writeln!(text, "  batch norm  {norms}");
    }
    let _ = match (steps_change, first.accumulate_grad_batches) {
        (false, _) => writeln!(text, "  optimizer   {}", first.optimizer),
        (true, 1) => writeln!(text, "  optimizer   {}, a step after each batch", first.optimizer),
        (true, window) => {
            writeln!(text, "  optimizer   {}, a step after every {window} batches", first.optimizer)
        }
    };
    let width = aligned::widest(first.groups.iter().map(|group| aligned::name(&group.name)));
    for (index, group) in first.groups.iter().enumerate() {
        let name = aligned::left(&aligned::name(&group.name), width);
        let parameters = count(phase.parameters_of(group));
        let _ = writeln!(text, "  group {name}  {parameters:>7}  {}", rates(&phase.rates(index)));
    }
    for note in phase.notes() {
        let _ = writeln!(text, "  {}", excerpt(note));
    }
    for finding in &first.findings {
        let _ = writeln!(text, "  ! {finding}");
    }
}

/// Rates that are told one by one; of more, the first and the last ones.
const SHOWN: usize = 8;

/// The rates of a group over a phase: one, or from first to last.
fn rates(rates: &[f64]) -> String {
    let told = |rates: &[f64]| rates.iter().map(|rate| format!("{rate:.3e}")).collect::<Vec<_>>().join(", ");
    match rates {
        [first, rest @ ..] if rest.iter().all(|rate| rate == first) => format!("lr {first:.3e}"),
        all if all.len() <= SHOWN => format!("lr {}", told(all)),
        all => format!("lr {}, …, {}", told(&all[..SHOWN - 2]), told(&all[all.len() - 1..])),
    }
}

/// What trains, in words.
fn trainable(phase: &PlannedPhase<'_>) -> String {
    let names = phase.trainable_modules();
    let norms =
        match (names.as_slice(), has_norms(&phase.first().tree, true), has_norms(&phase.first().tree, false))
        {
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

/// Whether there are batch norms that train, or that do not.
fn has_norms(tree: &ModuleTree, train: bool) -> bool {
    let mut norms =
        tree.modules().iter().filter(|module| module.is_batch_norm()).flat_map(|module| &module.parameters);
    norms.any(|parameter| parameter.requires_grad == train)
}
