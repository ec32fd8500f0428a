//! Stages whose activations are not kept for the backward pass but computed again in it
//! (`torch.utils.checkpoint`).
//!
//! The forward pass is cut at these stages: each part starts from tensors that are cut off from the graph
//! before them. The backward pass goes part by part, from the last to the first, each with the gradients
//! that the part after it found at its start. All of it runs on the caller's thread: the model is called as
//! in every forward.

use std::ops::Range;

use tch::Tensor;
use thaw_plugin_api::model::{Precision, Tensors};
use thaw_plugin_api::module_tree::is_within;
use thaw_torch::Autocast;

use super::{HostModel, ModelError, Phase, shared};
use crate::config::ActivationCheckpointing;
use crate::random::RandomStates;

/// What a forward pass in parts keeps for its backward pass.
pub struct Tape {
    parts: Vec<Part>,
    /// What the part that gave the loss started from.
    last: Tensors,
    /// Which freeze state it ran with.
    changes: u64,
}

/// Stages between two cuts.
struct Part {
    stages: Range<usize>,
    inputs: Tensors,
    kept: Kept,
}

/// What there is of a part's activations.
enum Kept {
    /// All: its outputs with their graph.
    Graph(Tensors),
    /// None. The generators of random numbers were in these states before it.
    Nothing(RandomStates),
}

/// A buffer and what it held.
struct Held {
    buffer: Tensor,
    value: Tensor,
}

impl HostModel {
    /// Chooses the stages that are computed again.
    ///
    /// # Errors
    /// The model has no stages, or none of such a name.
    pub fn set_recomputed(&mut self, chosen: &ActivationCheckpointing) -> Result<(), ModelError> {
        let refused = |reason: String| ModelError::Stages { model: self.id.clone(), reason };
        let stages = self.stages();
        let names = || stages.iter().map(|stage| stage.name.as_str());
        let is_chosen: Vec<bool> = match chosen {
            ActivationCheckpointing::Off => vec![false; stages.len()],
            _ if stages.len() < 2 => {
                let found = stages.len();
                return Err(refused(format!("it declares {found} stages, expected at least two")));
            }
            ActivationCheckpointing::All => vec![true; stages.len()],
            ActivationCheckpointing::Stages(chosen) => {
                let is_unknown = |name: &&String| names().all(|stage| stage != name.as_str());
                if let Some(unknown) = chosen.iter().find(is_unknown) {
                    let hint = thaw_plugin_api::hint(unknown, names());
                    let there_are = names().collect::<Vec<_>>().join(", ");
                    let found = thaw_terminal::escape(unknown);
                    return Err(refused(format!("found {found}, expected some of {there_are}{hint}")));
                }
                names().map(|stage| chosen.iter().any(|name| name == stage)).collect()
            }
        };
        self.recomputed = is_chosen;
        Ok(())
    }

    /// Whether a training step is cut into parts.
    pub(super) fn is_recomputing(&self) -> bool {
        self.phase == Phase::Train && self.recomputed.contains(&true)
    }

    /// The outputs of the stages from `start` on, and what the backward pass needs besides their graph.
    pub(super) fn forward_in_parts(
        &mut self,
        start: usize,
        inputs: Tensors,
    ) -> Result<(Tensors, Tape), ModelError> {
        let mut parts = Vec::new();
        let mut inputs = self.cut_off(&inputs)?;
        let ranges = parts_of(&self.recomputed, start);
        let count = ranges.len();
        for (index, (stages, is_again)) in ranges.into_iter().enumerate() {
            let random = is_again.then(|| RandomStates::of(self.device)).transpose()?;
            let versions = versions(&inputs);
            let outputs = self.run_stages(stages.start, stages.end, shared(&inputs))?;
            if index + 1 == count {
                return Ok((outputs, Tape { parts, last: inputs, changes: self.changes }));
            }
            if is_again && versions != self::versions(&inputs) {
                return Err(self.cannot_recompute(&stages, "writes into the tensors that it is given"));
            }
            let next = self.cut_off(&outputs)?;
            let trains = outputs.iter().any(|(_, tensor)| tensor.requires_grad());
            let kept = match random {
                Some(random) if trains => Kept::Nothing(random),
                _ => Kept::Graph(outputs),
            };
            parts.push(Part { stages, inputs, kept });
            inputs = next;
        }
        Ok((inputs, Tape { parts, last: Tensors::new(), changes: self.changes }))
    }

    /// The backward pass from a loss, which gradients of the parameters are added to. `tape` is that of the
    /// loss's own step; without one it is libtorch's backward pass alone.
    ///
    /// # Errors
    /// libtorch refuses, the model gives something else the second time, or a hook changed what trains
    /// between the forward pass and this.
    pub fn backward(
        &mut self,
        loss: &Tensor,
        tape: Option<Tape>,
        precision: Precision,
    ) -> Result<(), ModelError> {
        loss.f_backward().map_err(self.torch_error("backward"))?;
        let Some(Tape { parts, mut last, changes }) = tape else { return Ok(()) };
        for Part { stages, inputs, kept } in parts.into_iter().rev() {
            match kept {
                Kept::Graph(outputs) => self.go_back(&stages, &outputs, &last)?,
                Kept::Nothing(_) if changes != self.changes => {
                    let reason = "was frozen, thawed or switched by a hook since its forward pass";
                    return Err(self.cannot_recompute(&stages, reason));
                }
                Kept::Nothing(random) => {
                    let held = self.hold_buffers(&stages)?;
                    let outputs = self.again(&stages, &inputs, &random, precision)?;
                    self.go_back(&stages, &outputs, &last)?;
                    // Its batch norms have seen the batch already.
                    self.give_back(&held)?;
                }
            }
            last = inputs;
        }
        Ok(())
    }

    /// The part's forward as it was, its random numbers included.
    fn again(
        &mut self,
        stages: &Range<usize>,
        inputs: &Tensors,
        random: &RandomStates,
        precision: Precision,
    ) -> Result<Tensors, ModelError> {
        tracing::trace!("stages {}..{} are computed again", stages.start, stages.end);
        let now = RandomStates::of(self.device)?;
        random.put_back()?;
        let outputs = {
            let _autocast = Autocast::of(precision, self.device)?;
            self.run_stages(stages.start, stages.end, shared(inputs))
        };
        now.put_back()?;
        outputs
    }

    /// Adds to the gradients what `ends`, cut off from a part's outputs, got.
    fn go_back(&self, stages: &Range<usize>, outputs: &Tensors, ends: &Tensors) -> Result<(), ModelError> {
        let mut total: Option<Tensor> = None;
        for (name, end) in ends.iter().filter(|(_, end)| end.requires_grad()) {
            let gradient = end.grad();
            if !gradient.defined() {
                continue;
            }
            let Some(output) = outputs.find(name).filter(|output| output.size() == end.size()) else {
                return Err(self.cannot_recompute(stages, "gives something else the second time"));
            };
            // The gradient of this sum by the output is the gradient itself, to the last bit.
            let sum = || {
                let part = output.f_mul(&gradient)?.f_sum(output.kind())?;
                total.as_ref().map_or_else(|| Ok(part.shallow_clone()), |total| total.f_add(&part))
            };
            total = Some(sum().map_err(self.torch_error("backward"))?);
        }
        match total {
            Some(total) if total.requires_grad() => total.f_backward().map_err(self.torch_error("backward")),
            _ => Ok(()),
        }
    }

    /// The same values with no graph before them; those that gradients flow through take gradients.
    fn cut_off(&self, tensors: &Tensors) -> Result<Tensors, ModelError> {
        let cut = |(name, tensor): (&str, &Tensor)| {
            let trains = tensor.requires_grad();
            let cut = tensor
                .f_detach()
                .and_then(|cut| if trains { cut.f_set_requires_grad(true) } else { Ok(cut) });
            Ok((name.to_owned(), cut.map_err(self.torch_error("cutting the graph"))?))
        };
        tensors.iter().map(cut).collect()
    }

    /// What the buffers hold that these stages may write into, which is those of modules in training mode.
    fn hold_buffers(&self, stages: &Range<usize>) -> Result<Vec<Held>, ModelError> {
        let names = self.stages()[stages.clone()].iter().flat_map(|stage| &stage.modules);
        let names: Vec<&String> = names.collect();
        let is_theirs = |path: &str| names.iter().any(|name| is_within(path, name));
        let modules = self.tree.modules().iter().filter(|module| module.training && is_theirs(&module.path));
        let held = modules.flat_map(|module| &module.buffers).map(|buffer| {
            let buffer = self.tensor(&buffer.name)?.shallow_clone();
            let value = buffer.f_detach_copy().map_err(self.torch_error("keeping buffers"))?;
            Ok(Held { buffer, value })
        });
        held.collect()
    }

    /// All of them: libtorch does not count a batch norm's writes into its statistics.
    fn give_back(&self, held: &[Held]) -> Result<(), ModelError> {
        let back = |held: &Held| held.buffer.shallow_clone().f_copy_(&held.value).map(drop);
        tch::no_grad(|| held.iter().try_for_each(back)).map_err(self.torch_error("putting buffers back"))
    }

    fn cannot_recompute(&self, stages: &Range<usize>, what: &str) -> ModelError {
        let names: Vec<&str> =
            self.stages()[stages.clone()].iter().map(|stage| stage.name.as_str()).collect();
        let reason = format!(
            "stage `{}` {what}, so that its activations cannot be computed again: leave it out of \
             `activation_checkpointing` in [trainer]",
            names.join("`, `")
        );
        ModelError::Data { model: self.id.clone(), reason }
    }
}

/// The stages from `start` on in parts, and which of these are computed again: each chosen stage is a part of
/// its own. The last stage never is: its activations are needed at once.
fn parts_of(is_chosen: &[bool], start: usize) -> Vec<(Range<usize>, bool)> {
    let mut parts: Vec<(Range<usize>, bool)> = Vec::new();
    for stage in start..is_chosen.len() {
        let is_again = is_chosen[stage] && stage + 1 < is_chosen.len();
        match parts.last_mut() {
            Some((part, false)) if !is_again => part.end = stage + 1,
            _ => parts.push((stage..stage + 1, is_again)),
        }
    }
    parts
}

fn versions(tensors: &Tensors) -> Vec<Option<i64>> {
    tensors.iter().map(|(_, tensor)| tensor.f_internal_version().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chosen_stage_is_a_part_of_its_own_and_the_last_never_is() {
        assert_eq!(
            parts_of(&[false, false, true, true, false, true], 0),
            [(0..2, false), (2..3, true), (3..4, true), (4..6, false)]
        );
        assert_eq!(parts_of(&[true, true, true], 0), [(0..1, true), (1..2, true), (2..3, false)]);
    }

    #[test]
    fn stages_that_the_inputs_have_passed_are_in_no_part() {
        assert_eq!(parts_of(&[true, true, false, false], 2), [(2..4, false)]);
        assert_eq!(parts_of(&[true, true, true], 1), [(1..2, true), (2..3, false)]);
    }
}
