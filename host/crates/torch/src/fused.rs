//! libtorch's fused optimizer kernels: one call updates many parameters of one device and one dtype.
//!
//! Parameters without a gradient and those without state are left out. Gradients, parameters and states of
//! any memory layout are paired element by element.

use tch::Tensor;
use torch_sys::C_tensor;

use super::gradients::TensorList;
use super::{Result, TorchError, call, ffi, pointer};

/// Settings of one SGD call, by PyTorch's names.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct SgdOptions {
    pub lr: f64,
    pub weight_decay: f64,
    /// 0 for none; else the call needs momentum buffers.
    pub momentum: f64,
    pub dampening: f64,
    pub nesterov: bool,
    pub maximize: bool,
    /// Use one CPU thread: waking others costs more than small parameters take.
    pub single_thread: bool,
}

/// Settings of one Adam or AdamW call, by PyTorch's names.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct AdamOptions {
    pub lr: f64,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub eps: f64,
    pub amsgrad: bool,
    pub maximize: bool,
    /// AdamW: weight decay apart from the gradient.
    pub decoupled: bool,
    /// Use one CPU thread: waking others costs more than small parameters take.
    pub single_thread: bool,
}

/// One kind of state (`exp_avg`, `step`, …) of a list of parameters; some may not have it yet.
#[derive(Debug, Default)]
pub struct StateColumn {
    tensors: Vec<Option<Tensor>>,
    pointers: Vec<*const C_tensor>,
}

// SAFETY: the pointers are those of the owned tensors, and tch's tensors are Send.
unsafe impl Send for StateColumn {}

impl StateColumn {
    /// A column for as many parameters, all without state.
    pub fn empty(len: usize) -> StateColumn {
        StateColumn { tensors: (0..len).map(|_| None).collect(), pointers: vec![std::ptr::null(); len] }
    }

    /// Gives the parameter at `index` its state.
    pub fn set(&mut self, index: usize, state: Tensor) {
        self.pointers[index] = state.as_ptr();
        self.tensors[index] = Some(state);
    }

    /// Whether the parameter at `index` has its state.
    pub fn has(&self, index: usize) -> bool {
        self.tensors[index].is_some()
    }

    fn checked(&self, parameters: &TensorList, operation: &'static str) -> Result<*const *const C_tensor> {
        if self.pointers.len() == parameters.len() {
            return Ok(self.pointers.as_ptr());
        }
        let message = format!("{} states for {} parameters", self.pointers.len(), parameters.len());
        Err(TorchError::Operation { operation, message })
    }
}

/// `_fused_sgd_`. `first[i]` says that a buffer has no content yet and takes the gradient as it is.
/// Where the value of `found_inf` is 1, nothing changes.
pub fn sgd_step(
    parameters: &TensorList,
    momentum: Option<&StateColumn>,
    first: &[bool],
    options: &SgdOptions,
    found_inf: Option<&Tensor>,
) -> Result<()> {
    const OPERATION: &str = "the SGD step";
    let momentum = momentum.map_or(Ok(std::ptr::null()), |column| column.checked(parameters, OPERATION))?;
    if first.len() != parameters.len() {
        let message = format!("{} first-step marks for {} parameters", first.len(), parameters.len());
        return Err(TorchError::Operation { operation: OPERATION, message });
    }
    let (first, n) = (first.as_ptr(), parameters.len());
    // SAFETY: all lists are as long as the parameters; their owners live through the call.
    call(OPERATION, |error| unsafe {
        ffi::thaw_sgd_step(parameters.as_ptr(), momentum, first, n, options, pointer(found_inf), error)
    })
}

/// The states of an Adam call.
#[derive(Clone, Copy)]
pub struct AdamStates<'a> {
    /// Steps taken, `f32` of no dimension; on the CPU for parameters there, else on their device.
    pub step: &'a StateColumn,
    /// Running mean of the gradient.
    pub exp_avg: &'a StateColumn,
    /// Running mean of its square.
    pub exp_avg_sq: &'a StateColumn,
    /// Largest `exp_avg_sq` so far, read with `amsgrad` only.
    pub max_exp_avg_sq: &'a StateColumn,
}

/// `_fused_adam_` or, decoupled, `_fused_adamw_`. Counts the step first. Where the value of `found_inf` is 1,
/// nothing changes and nothing counts.
pub fn adam_step(
    parameters: &TensorList,
    states: AdamStates<'_>,
    options: &AdamOptions,
    found_inf: Option<&Tensor>,
) -> Result<()> {
    const OPERATION: &str = "the Adam step";
    let step = states.step.checked(parameters, OPERATION)?;
    let exp_avg = states.exp_avg.checked(parameters, OPERATION)?;
    let exp_avg_sq = states.exp_avg_sq.checked(parameters, OPERATION)?;
    let max_exp_avg_sq = states.max_exp_avg_sq.checked(parameters, OPERATION)?;
    // A parameter has all of its states or none; anything else would be read as null.
    let complete = (0..parameters.len()).all(|i| {
        !states.exp_avg.has(i)
            || (states.step.has(i)
                && states.exp_avg_sq.has(i)
                && (!options.amsgrad || states.max_exp_avg_sq.has(i)))
    });
    if !complete {
        let message = "a parameter has only part of its state".to_owned();
        return Err(TorchError::Operation { operation: OPERATION, message });
    }
    // SAFETY: all lists are as long as the parameters, states are complete; their owners live through the
    // call.
    call(OPERATION, |error| unsafe {
        ffi::thaw_adam_step(
            parameters.as_ptr(),
            exp_avg,
            exp_avg_sq,
            max_exp_avg_sq,
            step,
            parameters.len(),
            options,
            pointer(found_inf),
            error,
        )
    })
}
