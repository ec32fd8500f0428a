//! What can be wrong with an optimizer's settings, groups and state.

use thaw_plugin_api::config::ConfigError;
use thaw_torch::TorchError;

/// What can fail in an optimizer.
#[derive(Debug, thiserror::Error)]
pub enum OptimizerError {
    /// A key or value of the `[optimizer]` table.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value or option of a parameter group.
    #[error("parameter group {group:?}, {key}: found {found}, expected {expected}")]
    Group {
        /// The group's name.
        group: String,
        /// Field or option.
        key: String,
        /// Its value, or what is wrong with it.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// Two groups of one name.
    #[error(
        "two parameter groups are named {0:?}: names have to differ, since rates and checkpoints go by them"
    )]
    DuplicateGroup(String),
    /// A parameter in two groups, or twice in one.
    #[error(
        "parameter {parameter:?} is in group {first:?} and again in group {second:?}: it may be in one group \
         only"
    )]
    DuplicateParameter {
        /// The parameter.
        parameter: String,
        /// The group that has it.
        first: String,
        /// The group that names it again.
        second: String,
    },
    /// Two parameters of one name.
    #[error("two parameters are named {0:?}")]
    DuplicateName(String),
    /// A group names a parameter that the model does not have.
    #[error("parameter group {group:?} names {parameter:?}, which the model does not have{hint}")]
    UnknownParameter {
        /// The group's name.
        group: String,
        /// The name not found.
        parameter: String,
        /// `"; did you mean …"` or nothing.
        hint: String,
    },
    /// A state tensor that does not belong.
    #[error("optimizer state {tensor:?}: {problem}")]
    State {
        /// Its name, `<parameter>/<state>`.
        tensor: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// libtorch failed.
    #[error(transparent)]
    Torch(#[from] TorchError),
}

impl From<tch::TchError> for OptimizerError {
    fn from(error: tch::TchError) -> Self {
        OptimizerError::Torch(error.into())
    }
}
