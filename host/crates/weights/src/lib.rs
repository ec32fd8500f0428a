//! Weights: reading them from every common PyTorch file, fitting them to a model, writing them.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use tch::{Device, Kind, Tensor};
//! use thaw_weights::{WriteOptions, read, write_safetensors};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("head.safetensors");
//! let weight = Tensor::f_ones([2, 3], (Kind::Float, Device::Cpu))?;
//! let tensors = [("head.weight".to_owned(), weight)];
//! write_safetensors(&path, &tensors, &BTreeMap::new(), &WriteOptions::default())?;
//! // The same call reads .pt, .pth, .ckpt, .bin, shards, Hugging Face directories and Thaw's checkpoints.
//! let weights = read(&path)?;
//! let entry = weights.get("head.weight").expect("it was written");
//! assert_eq!(entry.shape(), [2, 3]);
//! # Ok(())
//! # }
//! ```
//!
//! [`read`] opens a file and gives a [`StateDict`]: names, shapes and element types, with the values still in
//! the file. [`plan_load`] matches its names with a model's, strictly unless the [`WeightsConfig`] says
//! otherwise, and reports everything that does not fit at once. [`apply`] copies the values.
//! [`write_safetensors`] writes them.
//!
//! | source | what is read |
//! | --- | --- |
//! | `.safetensors`, alone or as shards under `*.index.json` | mapped into memory |
//! | `.pt` `.pth` `.bin` `.ckpt`, zip or legacy | the state dict: alone, under `model`, …, or a module's |
//! | a Thaw run or checkpoint directory, a Hugging Face model directory | the weights in it |
//! | `hf://org/name[@revision][/file]` | the file through the local Hugging Face cache |
//!
//! The format is told from the content, not from the name. Pickles are read by a parser that runs nothing;
//! one that asks for a call with no place in weights is refused (see [`WeightsError::Refused`]).

mod apply;
mod config;
mod corners;
mod error;
mod hub;
mod pickle;
mod plan;
mod safetensors;
mod shards;
mod source;
mod state_dict;
mod stream;
mod write;

pub use apply::apply;
pub use config::{Rename, WeightsConfig};
pub use corners::Interpolation;
pub use error::WeightsError;
pub use plan::{
    GridResize, LoadPlan, LoadReport, Mismatch, Outside, Part, PlannedCopy, PretrainedNames, Proposal,
    Remark, TensorSpec, Unmatched, Unwrapped, plan_checkpoint, plan_load, plan_pretrained,
};
pub use source::{read, resolve};
pub use state_dict::{Entry, StateDict};
pub use stream::StreamedTensors;
pub use write::{WriteOptions, Written, write_safetensors};

/// The key under which hyperparameters are kept: in a Lightning checkpoint as a dict, in the metadata of a
/// .safetensors file written by Thaw as JSON text.
pub const HYPER_PARAMETERS: &str = "hyper_parameters";

#[cfg(test)]
mod tests;
