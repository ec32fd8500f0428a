//! What crosses the boundary between host and plugin. Nothing here is for authors.
//!
//! The surface is small on purpose: one root, an instance, a model and a data set as trait objects, tables of
//! functions for the host's services and log, and text (JSON) for all that is structured. It grows by
//! appending: methods with default bodies to the traits, fields after the last prefix field to the tables,
//! keys to the JSON.

#![allow(non_local_definitions, non_camel_case_types, unused_braces, missing_docs)]

mod dataset_adapter;
mod error;
mod instance;
mod log;
mod metadata;
#[cfg(feature = "torch")]
mod model_adapter;
mod panic;
mod raw_dataset;
mod raw_model;
mod root;
mod services;

pub use abi_stable;
pub use dataset_adapter::create_dataset;
pub use error::{RawError, RawResult};
pub use instance::{CallbackAdapter, RawInstance, RawInstance_TO, StrategyAdapter};
pub(crate) use instance::{SavedState, read_state};
pub use log::{RawLog, RawLog_Ref, install as install_log, subscriber as log_subscriber};
pub use metadata::{Item, Kind, Metadata, TorchVersions};
#[cfg(feature = "torch")]
pub use model_adapter::{create as create_model, torch_versions};
pub use panic::{DropContained, contain, install_hook};
pub use raw_dataset::{RawArray, RawDataset, RawDataset_TO, RawSample, RawTarget, split_number};
pub use raw_model::{RawModel, RawModel_TO, RawNamedTensor, RawStep, RawTensor};
pub use root::{BoxedDataset, BoxedInstance, BoxedModel, PluginRoot, PluginRoot_Ref};
pub use services::{RawServices, ServicesTable, ServicesTable_Ref};
