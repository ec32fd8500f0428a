//! What models made from a file that PyTorch exported have in common, whatever the file's format.
//!
//! A user's module comes as TorchScript or as an exported program. Either way the run config says which part
//! of it counts and what stands on top of it ([`ModuleConfig`]), inputs of the data go to arguments of its
//! `forward` ([`Inputs`]), what it gives is put in order ([`arrange`]), and a new head takes its features
//! ([`NewHead`]).

mod config;
mod head;
mod inputs;
mod outputs;
mod probe;

pub use config::{Head, Kind, ModuleConfig};
pub use head::{NewHead, pool};
pub use inputs::{Argument, Inputs};
pub use outputs::arrange;
pub use probe::features;
