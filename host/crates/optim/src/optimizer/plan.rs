//! Groups with their names looked up: what a step runs over.

use std::collections::HashMap;

use tch::{Device, Kind, Tensor};

use super::config::{Options, options};
use super::state::{ParameterState, STATES, fresh};
use super::{OptimizerConfig, OptimizerError, ParamGroup, Parameters, Result};
use thaw_torch::fused::{AdamStates, StateColumn, adam_step, sgd_step};
use thaw_torch::gradients::{TensorList, has_grad};

/// Parameters with fewer elements are updated by one CPU thread: waking a second one costs 5 to 15
/// microseconds, in which one thread updates about this many.
const SMALL: usize = 16_384;

/// The groups' parameters as tensors, in the pieces that one kernel call takes.
#[derive(Debug)]
pub(super) struct Plan {
    parameters_id: u64,
    members: Vec<Vec<String>>,
    buckets: Vec<Bucket>,
    all: TensorList,
    state_names: &'static [&'static str],
}

/// Parameters of one group, device, dtype and order of size.
#[derive(Debug)]
struct Bucket {
    group: usize,
    small: bool,
    names: Vec<String>,
    parameters: TensorList,
    columns: [StateColumn; STATES],
    /// SGD: the momentum buffer was made just now and has no content.
    first: Vec<bool>,
    options: Option<Options>,
    /// Parameters that lack a state which the options ask for.
    missing: Vec<usize>,
}

impl Plan {
    pub(super) fn new(
        config: &OptimizerConfig,
        groups: &[ParamGroup],
        parameters: &Parameters,
        states: &mut HashMap<String, ParameterState>,
    ) -> Result<Plan> {
        let mut buckets = Vec::new();
        let mut all = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let mut parts: Vec<((Device, Kind, bool), Vec<String>)> = Vec::new();
            for name in &group.parameters {
                let Some(tensor) = parameters.get(name) else {
                    return Err(OptimizerError::UnknownParameter {
                        group: group.name.clone(),
                        parameter: name.clone(),
                        hint: parameters.hint(name),
                    });
                };
                if let Some(state) = states.get_mut(name) {
                    state.follow(config, name, tensor)?;
                }
                all.push(tensor.shallow_clone());
                let small = tensor.device() == Device::Cpu && tensor.numel() < SMALL;
                let key = (tensor.device(), tensor.kind(), small);
                match parts.iter_mut().find(|(known, _)| *known == key) {
                    Some((_, names)) => names.push(name.clone()),
                    None => parts.push((key, vec![name.clone()])),
                }
            }
            for ((_, _, small), names) in parts {
                buckets.push(Bucket::new(index, small, names, parameters, states));
            }
        }
        Ok(Plan {
            parameters_id: parameters.id(),
            members: groups.iter().map(|group| group.parameters.clone()).collect(),
            buckets,
            all: TensorList::new(all),
            state_names: config.algorithm.state_names(),
        })
    }

    /// Whether it was made from these parameters.
    pub(super) fn is_for(&self, parameters: &Parameters) -> bool {
        self.parameters_id == parameters.id()
    }

    /// Whether the groups still have the parameters that it was made from.
    pub(super) fn same_members(&self, groups: &[ParamGroup]) -> bool {
        self.members.len() == groups.len()
            && self.members.iter().zip(groups).all(|(members, group)| *members == group.parameters)
    }

    /// Every parameter of every group, in order.
    pub(super) fn all(&self) -> &TensorList {
        &self.all
    }

    /// Takes rates and options over from the groups.
    pub(super) fn read_options(&mut self, config: &OptimizerConfig, groups: &[ParamGroup]) -> Result<()> {
        for bucket in &mut self.buckets {
            let mut fresh = options(config, &groups[bucket.group])?;
            match &mut fresh {
                Options::Sgd(options) => options.single_thread = bucket.small,
                Options::Adam(options) => options.single_thread = bucket.small,
            }
            if bucket.options.is_none_or(|before| before.states() != fresh.states()) {
                let needed = &bucket.columns[..fresh.states()];
                bucket.missing =
                    (0..bucket.names.len()).filter(|&i| needed.iter().any(|column| !column.has(i))).collect();
            }
            bucket.options = Some(fresh);
        }
        Ok(())
    }

    pub(super) fn step(
        &mut self,
        states: &mut HashMap<String, ParameterState>,
        found_inf: Option<&Tensor>,
    ) -> Result<()> {
        for bucket in &mut self.buckets {
            let Some(options) = bucket.options else { continue };
            if !bucket.missing.is_empty() {
                bucket.make_states(self.state_names, options.states(), states)?;
            }
            bucket.step(&options, found_inf)?;
        }
        Ok(())
    }
}

impl Bucket {
    fn new(
        group: usize,
        small: bool,
        names: Vec<String>,
        parameters: &Parameters,
        states: &HashMap<String, ParameterState>,
    ) -> Bucket {
        let list: TensorList = names.iter().filter_map(|name| parameters.get(name)).collect();
        let mut columns = std::array::from_fn(|_| StateColumn::empty(names.len()));
        for (i, name) in names.iter().enumerate() {
            let Some(state) = states.get(name) else { continue };
            for (column, tensor) in columns.iter_mut().zip(&state.tensors) {
                if let Some(tensor) = tensor {
                    column.set(i, tensor.shallow_clone());
                }
            }
        }
        let first = vec![false; names.len()];
        Bucket { group, small, names, parameters: list, columns, first, options: None, missing: Vec::new() }
    }

    /// Makes the states that are missing of parameters which have a gradient now, or have some state already.
    fn make_states(
        &mut self,
        state_names: &[&str],
        needed: usize,
        states: &mut HashMap<String, ParameterState>,
    ) -> Result<()> {
        let has_grad = has_grad(&self.parameters)?;
        let (ready, waiting) = self
            .missing
            .iter()
            .copied()
            .partition::<Vec<usize>, _>(|&i| has_grad[i] || self.columns[0].has(i));
        for i in ready {
            let state = states.entry(self.names[i].clone()).or_default();
            for (slot, name) in state_names.iter().enumerate().take(needed) {
                if self.columns[slot].has(i) {
                    continue;
                }
                let tensor = fresh(name, &self.parameters.tensors()[i])?;
                self.columns[slot].set(i, tensor.shallow_clone());
                state.tensors[slot] = Some(tensor);
                self.first[i] = true;
            }
        }
        self.missing = waiting;
        Ok(())
    }

    fn step(&mut self, options: &Options, found_inf: Option<&Tensor>) -> Result<()> {
        match options {
            Options::Sgd(options) => {
                let momentum = (options.momentum != 0.0).then_some(&self.columns[0]);
                // A buffer without content takes the first gradient whole, dampening or not: whether this
                // step is the first one has to be known.
                if options.dampening != 0.0 && self.first.contains(&true) && is_set(found_inf)? {
                    return Ok(());
                }
                sgd_step(&self.parameters, momentum, &self.first, options, found_inf)?;
                self.first.fill(false);
            }
            Options::Adam(options) => {
                let [step, exp_avg, exp_avg_sq, max_exp_avg_sq] = &self.columns;
                let states = AdamStates { step, exp_avg, exp_avg_sq, max_exp_avg_sq };
                adam_step(&self.parameters, states, options, found_inf)?;
            }
        }
        Ok(())
    }
}

/// Reads a mark; waits for the device.
fn is_set(mark: Option<&Tensor>) -> Result<bool> {
    Ok(mark.map_or(Ok(0.0), |mark| mark.f_double_value(&[]))? == 1.0)
}
