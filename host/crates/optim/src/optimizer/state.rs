//! What an optimizer remembers of each parameter, and its names in a checkpoint.

use std::collections::{BTreeMap, HashMap};

use tch::{Kind, Tensor};

use super::{OptimizerConfig, OptimizerError, Result};

/// Most states that an algorithm has (Adam's).
pub(super) const STATES: usize = 4;

/// The states of one parameter, in the order of the algorithm's names.
#[derive(Debug, Default)]
pub(super) struct ParameterState {
    pub(super) tensors: [Option<Tensor>; STATES],
}

impl ParameterState {
    /// Its tensors as `<parameter>/<state>`, sharing storage.
    pub(super) fn named(&self, config: &OptimizerConfig, parameter: &str) -> Vec<(String, Tensor)> {
        let names = config.algorithm.state_names();
        names
            .iter()
            .zip(&self.tensors)
            .filter_map(|(name, tensor)| {
                Some((format!("{parameter}/{name}"), tensor.as_ref()?.shallow_clone()))
            })
            .collect()
    }

    /// Brings the states to the parameter's device and dtype.
    ///
    /// # Errors
    /// A state of another shape than its parameter.
    pub(super) fn follow(&mut self, config: &OptimizerConfig, name: &str, parameter: &Tensor) -> Result<()> {
        for (state, slot) in config.algorithm.state_names().iter().zip(&mut self.tensors) {
            let Some(tensor) = slot else { continue };
            let kind = if *state == STEP { Kind::Float } else { parameter.kind() };
            let shape = if *state == STEP { Vec::new() } else { parameter.size() };
            if tensor.size() != shape {
                return Err(OptimizerError::State {
                    tensor: format!("{name}/{state}"),
                    problem: format!("its shape is {:?}, the parameter asks for {shape:?}", tensor.size()),
                });
            }
            if tensor.device() != parameter.device() || tensor.kind() != kind {
                *tensor = tensor.f_to_device_(parameter.device(), kind, false, false)?;
            }
        }
        Ok(())
    }
}

/// Adam's count of steps, the one state that is not shaped like its parameter.
const STEP: &str = "step";

/// A new state of a parameter: zeros in its layout, dtype and place.
pub(super) fn fresh(state: &str, parameter: &Tensor) -> Result<Tensor> {
    if state == STEP {
        return Ok(Tensor::f_zeros([0; 0], (Kind::Float, parameter.device()))?);
    }
    Ok(parameter.f_detach()?.f_zeros_like()?)
}

/// The states of every parameter named in a checkpoint, copied.
pub(super) fn from_named(
    config: &OptimizerConfig,
    tensors: impl IntoIterator<Item = (String, Tensor)>,
) -> Result<HashMap<String, ParameterState>> {
    let names = config.algorithm.state_names();
    let refuse = |tensor: String, problem: String| OptimizerError::State { tensor, problem };
    let mut states: BTreeMap<String, ParameterState> = BTreeMap::new();
    for (name, tensor) in tensors {
        let Some((parameter, slot)) =
            name.rsplit_once('/').and_then(|(p, state)| Some((p, names.iter().position(|n| *n == state)?)))
        else {
            let id = config.algorithm.id();
            let problem = format!(
                "{id} has no such state; expected <parameter>/<state> with one of {}",
                names.join(", ")
            );
            return Err(refuse(name, problem));
        };
        let mut copy = tensor.f_detach_copy()?;
        if names[slot] == STEP {
            if copy.numel() != 1 {
                return Err(refuse(
                    name,
                    format!("its shape is {:?}, expected a single number", copy.size()),
                ));
            }
            copy = copy.f_reshape([0; 0])?.f_to_kind(Kind::Float)?;
        }
        states.entry(parameter.to_owned()).or_default().tensors[slot] = Some(copy);
    }
    for (parameter, state) in &states {
        if let Some(missing) = (0..config.algorithm.required_states()).find(|&i| state.tensors[i].is_none()) {
            let problem = "it is missing while other states of this parameter are there".to_owned();
            return Err(refuse(format!("{parameter}/{}", names[missing]), problem));
        }
    }
    Ok(states.into_iter().collect())
}
