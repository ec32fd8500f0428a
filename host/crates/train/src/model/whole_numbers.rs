//! A model that computes with what the data has as whole numbers: libtorch says so without naming the input.

use tch::Kind;
use thaw_plugin_api::model::Batch;

use super::ModelError;

/// Adds what to do to an error about whole numbers where floats are needed, if the batch has such an input.
pub(super) fn explain(error: ModelError, batch: &Batch) -> ModelError {
    let ModelError::Plugin(mut failure) = error else { return error };
    let text = failure.error.to_string();
    // "mat1 and mat2 must have the same dtype, but got Long and Float", "Input type (long int) and bias …".
    let is_of_kinds = text.contains("Long") || text.contains("long int");
    let whole = batch.inputs.iter().filter(|(_, tensor)| tensor.kind() == Kind::Int64);
    let names: Vec<String> = whole.map(|(name, _)| format!("`{}`", thaw_terminal::escape(name))).collect();
    if is_of_kinds && !names.is_empty() && failure.error.help_text().is_none() {
        let names = names.join(", ");
        failure.error = failure.error.help(format_args!(
            "whole numbers of a file stay so, as ids do ({names}): what a model computes with, write as \
             float32, levels of 0 to 255 divided by 255 (uint8 pictures of [samples, channels, height, \
             width] become so by themselves)"
        ));
    }
    ModelError::Plugin(failure)
}
