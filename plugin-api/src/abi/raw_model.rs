//! Models behind the boundary. Here without libtorch: a plugin of strategies has the same layout as one of
//! models.

use std::ffi::c_void;

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{ROption, RSlice, RString, RVec};

use super::RawResult;

/// A tensor handle (`*mut C_tensor`) of the one libtorch that host and plugins share. Whoever receives it
/// owns it.
#[repr(transparent)]
#[derive(StableAbi)]
pub struct RawTensor(*mut c_void);

// SAFETY: libtorch's tensors may move between threads (tch's `Tensor` is `Send`).
unsafe impl Send for RawTensor {}

impl RawTensor {
    /// Takes over a handle.
    pub fn from_raw(handle: *mut c_void) -> Self {
        Self(handle)
    }

    /// Gives the handle on.
    pub fn into_raw(self) -> *mut c_void {
        self.0
    }
}

/// A tensor with its name.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawNamedTensor {
    pub name: RString,
    pub tensor: RawTensor,
}

/// What a model's own step gives: the loss first, then its outputs; metrics as JSON.
#[repr(C)]
#[derive(StableAbi)]
pub struct RawStep {
    pub loss: RawTensor,
    pub outputs: RVec<RawNamedTensor>,
    pub metrics: RString,
}

/// A model, as the host holds it.
#[sabi_trait]
pub trait RawModel: Send {
    /// Tree, stages, task and input as JSON.
    fn describe(&self) -> RawResult<RString>;
    /// Every parameter and buffer by its full name, in state_dict order.
    fn tensors(&self) -> RVec<RawNamedTensor>;
    /// Mode of every module in tree order: bit 0 training, bit 1 tracking of batch norm statistics.
    fn set_modes(&mut self, modes: RSlice<'_, u8>);
    /// Runs the stages `from..to`; all of them is the model's forward.
    fn run_stages(
        &mut self,
        from: usize,
        to: usize,
        inputs: RVec<RawNamedTensor>,
    ) -> RawResult<RVec<RawNamedTensor>>;
    /// The model's own training (0) or validation (1) step; none where the task's default is meant.
    #[sabi(last_prefix_field)]
    fn step(
        &mut self,
        phase: u32,
        inputs: RVec<RawNamedTensor>,
        target: ROption<RawTensor>,
    ) -> RawResult<ROption<RawStep>>;
}
