//! Tensor sets: copies of the model's tensors that the host keeps under names, in every checkpoint.
//!
//! An average of the weights is one, and so are weights to return to. A hook asks for it by name, see
//! [`Context::tensor_set`](crate::context::Context::tensor_set); the arithmetic is the host's, on the run's
//! device, so that an author needs no libtorch.
//!
//! [`TensorSets`] is the host's side: which set holds what, and which values stand in the model. It knows
//! tensors by [`TensorValues`] alone, so that a fake run without libtorch has the same rules.

mod action;
mod contents;
mod saved;
mod sets;
#[cfg(test)]
mod tests;
#[cfg(feature = "torch")]
mod torch;
mod values;

pub use action::{SetAction, SetState};
pub use contents::{SetBuffers, SetContents, Update};
pub use saved::{InFiles, SavedSet};
pub use sets::TensorSets;
#[cfg(feature = "torch")]
pub use torch::TorchValues;
pub use values::{TensorValues, WithoutValues};
