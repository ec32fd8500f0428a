//! Stages found in a program: where it can be cut so that one tensor alone goes on.
//!
//! A step is *light* where it needs inputs, buffers and constants alone: masks, positions, sizes. What is
//! light is computed again in each stage that needs it; everything else is *heavy*, and runs in one stage. A
//! cut is legal where one heavy tensor of the batch goes on, no parameter and no module is needed on both
//! sides, and nothing behind the cut writes into the tensor: a stage's input may be kept and used again.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::graph::Slot;
use crate::lower::{Bound, Lowered, Step};
use crate::part::{Part, is_below};
use crate::program::Program;

/// Which values are heavy.
pub struct Kinds {
    heavy: HashSet<Slot>,
    /// Steps that are light.
    light: HashSet<usize>,
}

impl Kinds {
    /// Sorts the values of a program.
    pub fn of(program: &Program, lowered: &Lowered) -> Self {
        let written: HashSet<Slot> = lowered.steps.iter().flat_map(|step| step.writes.clone()).collect();
        let is_trained = |slot: &Slot| match lowered.bound.get(slot) {
            Some(Bound::Weight(place)) => program.weights[*place].is_parameter || written.contains(slot),
            Some(Bound::Constant) | None => written.contains(slot),
        };
        let mut kinds = Self { heavy: HashSet::new(), light: HashSet::new() };
        for (place, step) in lowered.steps.iter().enumerate() {
            let needs = step.reads.iter().any(|slot| kinds.heavy.contains(slot) || is_trained(slot));
            if step.varies || !step.writes.is_empty() || needs || step.fills.iter().any(is_trained) {
                kinds.heavy.extend(&step.fills);
            } else {
                kinds.light.insert(place);
            }
        }
        kinds
    }

    /// Whether a value depends on parameters, modes or random numbers.
    pub fn is_heavy(&self, slot: Slot) -> bool {
        self.heavy.contains(&slot)
    }

    /// The steps among `places`, and the light ones that they and `outputs` need, in order; and every slot
    /// that they read.
    pub fn with_light(
        &self,
        lowered: &Lowered,
        places: &[usize],
        outputs: &[Slot],
    ) -> (Vec<usize>, HashSet<Slot>) {
        let made_by: HashMap<Slot, usize> = self
            .light
            .iter()
            .flat_map(|place| lowered.steps[*place].fills.iter().map(|slot| (*slot, *place)))
            .collect();
        let heavy = places.iter().copied().filter(|place| !self.light.contains(place));
        let mut chosen: BTreeSet<usize> = heavy.collect();
        let mut needed: HashSet<Slot> = outputs.iter().copied().collect();
        let mut ahead: Vec<Slot> = outputs.to_vec();
        ahead.extend(chosen.iter().flat_map(|place| lowered.steps[*place].reads.iter().copied()));
        while let Some(slot) = ahead.pop() {
            needed.insert(slot);
            if let Some(place) = made_by.get(&slot).filter(|place| chosen.insert(**place)) {
                ahead.extend(&lowered.steps[*place].reads);
            }
        }
        (chosen.into_iter().collect(), needed)
    }
}

/// Steps that run together.
pub struct Segment {
    /// Of the file's modules and parameters, those that it runs.
    pub modules: Vec<String>,
    /// Its name, unique among the segments.
    pub name: String,
    /// Places of its heavy steps.
    pub steps: Vec<usize>,
    /// The tensor that comes in; none for the first one, which takes the inputs.
    pub entry: Option<Slot>,
}

/// Splits a part of a program at its legal cuts.
pub fn split(program: &Program, lowered: &Lowered, kinds: &Kinds, part: &Part) -> Vec<Segment> {
    let heavy: Vec<usize> = part.steps.iter().copied().filter(|place| !kinds.light.contains(place)).collect();
    let cutter = Cutter::new(program, lowered, kinds, part, &heavy);
    let mut parts: Vec<(Option<Slot>, Vec<usize>)> = vec![(None, Vec::new())];
    for (position, place) in heavy.iter().enumerate() {
        let entry = if position == 0 { None } else { cutter.entry(position) };
        let is_whole = parts.last().is_some_and(|(_, steps)| steps.iter().any(|place| cutter.trains(*place)));
        // What no module with weights does belongs to what follows it, at the end to what comes before.
        let follows = heavy[position..].iter().any(|place| cutter.trains(*place));
        if entry.is_some() && is_whole && follows {
            parts.push((entry, Vec::new()));
        }
        if let Some((_, steps)) = parts.last_mut() {
            steps.push(*place);
        }
    }
    let mut names = HashSet::new();
    let named = parts.into_iter().map(|(entry, steps)| {
        let (name, modules) = cutter.describe(&steps, &mut names);
        Segment { modules, name, steps, entry }
    });
    named.collect()
}

struct Cutter<'a> {
    program: &'a Program,
    lowered: &'a Lowered,
    /// Paths that lie above others with steps: what stands between modules.
    between: HashSet<&'a str>,
    /// For each position the tensor that alone goes on there, and may.
    entries: Vec<Option<Slot>>,
}

impl<'a> Cutter<'a> {
    fn new(program: &'a Program, lowered: &'a Lowered, kinds: &Kinds, part: &Part, heavy: &[usize]) -> Self {
        let paths: BTreeSet<&str> = heavy.iter().map(|place| lowered.steps[*place].module.as_str()).collect();
        let is_above =
            |path: &&str| path.is_empty() || paths.iter().any(|other| other != path && is_below(other, path));
        let between = paths.iter().copied().filter(is_above).collect();
        let mut cutter = Self { program, lowered, between, entries: vec![None; heavy.len()] };
        let open = cutter.open(heavy);
        let alone = cutter.alone(kinds, part, heavy);
        let memory = Memory::of(lowered, kinds, heavy);
        for (position, entry) in alone.into_iter().enumerate() {
            let is_kept = |slot: &Slot| cutter.is_of_the_batch(*slot) && !memory.is_written(*slot, position);
            cutter.entries[position] = entry.filter(|slot| !open[position] && is_kept(slot));
        }
        cutter
    }

    /// The tensor that goes on where the program is cut before this position; none where it cannot be.
    fn entry(&self, position: usize) -> Option<Slot> {
        self.entries[position]
    }

    fn step(&self, place: usize) -> &'a Step {
        &self.lowered.steps[place]
    }

    /// Weights that a step needs. Tied ones are one.
    fn weights(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        let step = self.step(place);
        step.reads.iter().chain(&step.writes).filter_map(|slot| match self.lowered.bound.get(slot) {
            Some(Bound::Weight(place)) => Some(*place),
            _ => None,
        })
    }

    /// Whether a step needs a parameter of a module that is not cut.
    fn trains(&self, place: usize) -> bool {
        let has_unit = self.unit(&self.step(place).module).is_some();
        has_unit && self.weights(place).any(|weight| self.program.weights[weight].is_parameter)
    }

    /// For each position whether a weight or a module is needed on both sides of it.
    fn open(&self, heavy: &[usize]) -> Vec<bool> {
        let mut spans: HashMap<Needed, (usize, usize)> = HashMap::new();
        for (position, place) in heavy.iter().enumerate() {
            let tensor = |weight: usize| self.program.weights[weight].tensor.data_ptr() as usize;
            let weights = self.weights(*place).map(|weight| Needed::Weight(tensor(weight)));
            for needed in weights.chain(self.unit(&self.step(*place).module).map(Needed::Module)) {
                spans.entry(needed).or_insert((position, position)).1 = position;
            }
        }
        let mut open = vec![false; heavy.len()];
        for (first, last) in spans.into_values() {
            open[first + 1..=last].fill(true);
        }
        open
    }

    /// For each position the one heavy value that is made before and needed behind it.
    fn alone(&self, kinds: &Kinds, part: &Part, heavy: &[usize]) -> Vec<Option<Slot>> {
        let mut spans: HashMap<Slot, (usize, usize)> = HashMap::new();
        for (position, place) in heavy.iter().enumerate() {
            for slot in &self.step(*place).reads {
                if let Some(span) = spans.get_mut(slot) {
                    span.1 = position;
                }
            }
            let fills = self.step(*place).fills.iter().filter(|slot| kinds.is_heavy(**slot));
            spans.extend(fills.map(|slot| (*slot, (position, position))));
        }
        for (_, slot) in &part.outputs {
            if let Some(span) = spans.get_mut(slot) {
                span.1 = heavy.len();
            }
        }
        let mut live: Vec<Vec<Slot>> = vec![Vec::new(); heavy.len()];
        for (slot, (made, needed)) in spans {
            let positions = live.iter_mut().take(needed + 1).skip(made + 1);
            positions.for_each(|slots| slots.push(slot));
        }
        live.into_iter().map(|slots| if let [slot] = slots.as_slice() { Some(*slot) } else { None }).collect()
    }

    /// Whether the first dimension is that of the program's inputs.
    fn is_of_the_batch(&self, slot: Slot) -> bool {
        let first = |name: &str| {
            let sizes = &self.program.graph.tensor_values.get(name)?.sizes;
            sizes.first().map(|size| size.as_int)
        };
        let input = self.program.inputs.first().and_then(|input| first(&input.value));
        input.is_some() && first(&self.lowered.names[slot]) == input
    }

    /// The module that is not cut: up to the first number in its path, such as `encoder.layer.0`.
    fn unit<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.between.contains(path) {
            return None;
        }
        let mut end = 0;
        for part in path.split('.') {
            end += part.len() + usize::from(end > 0);
            if part.parse::<usize>().is_ok() {
                return Some(&path[..end]);
            }
        }
        Some(path)
    }

    /// A name, and the modules and further parameters of some steps.
    fn describe(&self, steps: &[usize], taken: &mut HashSet<String>) -> (String, Vec<String>) {
        let units_of = |places: &mut dyn Iterator<Item = &usize>| {
            let mut units: Vec<String> = Vec::new();
            for unit in places.filter_map(|place| self.unit(&self.step(*place).module)) {
                if !units.iter().any(|known| known == unit) {
                    units.push(unit.to_owned());
                }
            }
            units
        };
        let mut modules = units_of(&mut steps.iter());
        let units = units_of(&mut steps.iter().filter(|place| self.trains(**place)));
        for weight in steps.iter().flat_map(|place| self.weights(*place)) {
            let weight = &self.program.weights[weight];
            let known = modules.iter().any(|module| is_below(&weight.name, module));
            if weight.is_parameter && !known {
                modules.push(weight.name.clone());
            }
        }
        let common = common_prefix(&units);
        let candidates = [Some(common), units.first().cloned(), units.last().cloned()];
        let free = candidates.into_iter().flatten().find(|name| !name.is_empty() && !taken.contains(name));
        let name = free.unwrap_or_else(|| format!("stage.{}", taken.len()));
        taken.insert(name.clone());
        (name, modules)
    }
}

fn common_prefix(paths: &[String]) -> String {
    let Some((first, rest)) = paths.split_first() else { return String::new() };
    let mut parts: Vec<&str> = first.split('.').collect();
    for path in rest {
        let same = parts.iter().zip(path.split('.')).take_while(|(a, b)| **a == *b).count();
        parts.truncate(same);
    }
    parts.join(".")
}

/// What may stand on one side of a cut only.
#[derive(PartialEq, Eq, Hash)]
enum Needed<'a> {
    /// The address of a weight: tied ones are one.
    Weight(usize),
    Module(&'a str),
}

/// Which values may share memory, and until where it is written.
struct Memory {
    /// For each slot another one that may share its memory, or itself.
    owner: Vec<Slot>,
    /// By the last slot of such a chain: the last position that writes into it.
    written: HashMap<Slot, usize>,
}

impl Memory {
    fn of(lowered: &Lowered, kinds: &Kinds, heavy: &[usize]) -> Self {
        let mut memory = Self { owner: (0..lowered.names.len()).collect(), written: HashMap::new() };
        for step in heavy.iter().map(|place| &lowered.steps[*place]).filter(|step| step.shares) {
            let mut among = step.reads.iter().filter(|slot| kinds.is_heavy(**slot)).chain(&step.fills);
            let Some(first) = among.next().map(|slot| memory.root(*slot)) else { continue };
            for slot in among {
                let root = memory.root(*slot);
                memory.owner[root] = first;
            }
        }
        for (position, place) in heavy.iter().enumerate() {
            for slot in &lowered.steps[*place].writes {
                let root = memory.root(*slot);
                memory.written.insert(root, position);
            }
        }
        memory
    }

    fn root(&self, slot: Slot) -> Slot {
        let mut slot = slot;
        while self.owner[slot] != slot {
            slot = self.owner[slot];
        }
        slot
    }

    /// Whether a step from `position` on writes into what the slot holds.
    fn is_written(&self, slot: Slot, position: usize) -> bool {
        self.written.get(&self.root(slot)).is_some_and(|last| *last >= position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_the_parts_in_common_that_they_begin_with() {
        let owned = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>();
        assert_eq!(common_prefix(&owned(&["a.b.c", "a.b.d"])), "a.b");
        assert_eq!(common_prefix(&owned(&["a.bc", "a.bd"])), "a");
        assert_eq!(common_prefix(&owned(&["a", "b"])), "");
        assert_eq!(common_prefix(&owned(&["a.b"])), "a.b");
    }
}
