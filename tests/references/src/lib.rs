//! Model plugins against what PyTorch computes (`tests/fixtures/models`).
//!
//! [`formula`] gives the weights and inputs that the references were made with, [`Reference`] is one
//! reference file, and [`Built`] a model, in process or from a plugin file, ready to be compared.

mod built;
mod deviation;
mod exported;
pub mod formula;
mod norms;
mod reference;
mod script;
mod step;
mod tensors;

pub use built::Built;
pub use deviation::{Deviation, Outcome, allow};
pub use exported::{Exported, check_exported};
pub use norms::Norm;
pub use reference::{Reference, fixtures};
pub use script::check_script;
pub use tensors::check_tensors;
