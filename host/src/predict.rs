//! Predictions as rows, and the files they are written to.

mod attentions;
mod file;
mod order;
mod row_file;
mod rows;

use std::path::PathBuf;

pub use attentions::Attentions;
pub use file::{Format, PredictionFile};
pub use order::InputOrder;
pub use row_file::RowFile;
pub use rows::{Predictions, Row, Sample};

/// A prediction that cannot be made into rows or written.
#[derive(Debug, thiserror::Error)]
pub enum PredictError {
    /// The file's name says no format.
    #[error("{}: expected a file that ends in .csv or .jsonl", path.display())]
    Format {
        /// The file.
        path: PathBuf,
    },
    /// Outputs of a shape that means nothing for the model's task.
    #[error("the model's output `{name}` has shape {found:?}, expected {expected}")]
    Shape {
        /// The output.
        name: String,
        /// Its shape.
        found: Vec<i64>,
        /// What would do.
        expected: String,
    },
    /// An output that was asked for and is not there.
    #[error("--outputs {name}: the model has no such output; it gave: {known}{hint}")]
    NoOutput {
        /// As asked for.
        name: String,
        /// Those there are.
        known: String,
        /// What might help.
        hint: String,
    },
    /// Attention weights were asked for, and the model gives none.
    #[error(
        "--attentions: the model gave no attention weights (outputs `attentions.0`, …); it gave: {known}"
    )]
    NoAttentions {
        /// What it gave.
        known: String,
    },
    /// It cannot be written.
    #[error("{}: cannot write the predictions: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// libtorch.
    #[error("reading the model's outputs: {0}")]
    Torch(String),
}

impl From<tch::TchError> for PredictError {
    fn from(error: tch::TchError) -> Self {
        Self::Torch(thaw_torch::short_message(&error.to_string()).to_owned())
    }
}
