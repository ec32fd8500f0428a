//! What nearly every plugin uses.

pub use serde_json::{Map, Value};
pub use tracing::{debug, error, info, trace, warn};

pub use crate::callback::Callback;
pub use crate::config::{Config, Key};
pub use crate::context::{Context, Progress};
pub use crate::dataset::{Array, Dataset, Dtype, Form, Input, Sample, Split, Target};
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::hook::Hook;
#[cfg(feature = "torch")]
pub use crate::model::{Batch, Model, Stage, StepOutput, Task, Tensors};
pub use crate::module_tree::{BatchNorm, Module, ModuleTree, Targets};
#[cfg(feature = "torch")]
pub use crate::nn;
pub use crate::optimizer::{Optimizer, ParamGroup};
pub use crate::strategy::Strategy;
pub use crate::{bail, ensure, export_plugin, tracing};
