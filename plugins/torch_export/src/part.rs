//! The nodes of one module of the file, which become the model instead of the whole.

use std::collections::{BTreeSet, HashSet};

use thaw_plugin_api::prelude::*;

use crate::graph::Slot;
use crate::lower::{Lowered, Step};
use crate::program::Program;
use crate::stages::Kinds;

/// What is run: the whole program, or a part of it.
pub struct Part {
    /// Places of the steps, in order. Cheap ones that others need are not among them.
    pub steps: Vec<usize>,
    /// Places of the inputs that it takes.
    pub inputs: Vec<usize>,
    /// Name and slot of each output.
    pub outputs: Vec<(String, Slot)>,
}

impl Part {
    /// The whole program.
    pub fn whole(program: &Program, lowered: &Lowered) -> Self {
        Self {
            steps: (0..lowered.steps.len()).collect(),
            inputs: (0..program.inputs.len()).collect(),
            outputs: lowered.outputs.clone(),
        }
    }

    /// The module at `path` and all below it.
    ///
    /// # Errors
    /// There is none, it never runs, it takes what other modules compute, or it gives more than one tensor.
    pub fn module(program: &Program, lowered: &Lowered, kinds: &Kinds, path: &str) -> Result<Self> {
        let config = |message: String| Error::of(ErrorKind::Config, message);
        if !program.modules.iter().any(|module| module.path == path) {
            let error = config(format!("the file has no module `{path}`"));
            let known: Vec<&str> =
                program.modules.iter().map(|module| module.path.as_str()).skip(1).collect();
            return Err(match thaw_plugin_api::nearest(path, known.iter().copied()) {
                Some(nearest) => error.help(format_args!("did you mean `{nearest}`?")),
                None => error.help(format_args!("it has: {}", known.join(", "))),
            });
        }
        let is_within = |step: &Step| is_below(&step.module, path);
        let steps: Vec<usize> =
            (0..lowered.steps.len()).filter(|place| is_within(&lowered.steps[*place])).collect();
        if steps.is_empty() {
            return Err(config(format!("the file's module `{path}` never runs")));
        }
        let chosen: HashSet<usize> = steps.iter().copied().collect();
        let made: HashSet<Slot> =
            steps.iter().flat_map(|place| lowered.steps[*place].fills.clone()).collect();
        let taken = steps.iter().flat_map(|place| lowered.steps[*place].reads.iter().copied());
        let computed: BTreeSet<&str> = taken
            .filter(|slot| !made.contains(slot) && kinds.is_heavy(*slot))
            .map(|slot| lowered.names[slot].as_str())
            .collect();
        if !computed.is_empty() {
            let names: Vec<&str> = computed.into_iter().collect();
            let message = format!(
                "the file's module `{path}` takes what other modules compute ({}), not the file's inputs \
                 alone",
                names.join(", ")
            );
            return Err(config(message).help("name a module that comes first, or leave `module` out"));
        }
        let outside = (0..lowered.steps.len()).filter(|place| !chosen.contains(place));
        let wanted: HashSet<Slot> = outside
            .flat_map(|place| lowered.steps[place].reads.clone())
            .chain(lowered.outputs.iter().map(|(_, slot)| *slot))
            .collect();
        let given: Vec<Slot> = steps
            .iter()
            .flat_map(|place| lowered.steps[*place].fills.iter().copied())
            .filter(|slot| wanted.contains(slot) && kinds.is_heavy(*slot))
            .collect();
        let [output] = given.as_slice() else {
            let message = format!("the file's module `{path}` gives {} tensors, expected one", given.len());
            return Err(config(message).help("name another module, or leave `module` out"));
        };
        Ok(Self {
            steps,
            inputs: (0..program.inputs.len()).collect(),
            outputs: vec![(String::new(), *output)],
        })
    }

    /// Leaves the inputs out that no step needs.
    pub fn keep_inputs(&mut self, needed: &HashSet<Slot>, lowered: &Lowered) {
        self.inputs.retain(|place| needed.contains(&lowered.inputs[*place]));
    }
}

/// Whether a path is that of a module, or of one below it.
pub fn is_below(path: &str, top: &str) -> bool {
    top.is_empty() || path == top || path.strip_prefix(top).is_some_and(|rest| rest.starts_with('.'))
}
