//! A model that computes with what the data has as whole numbers: libtorch says so without naming the input.

use tch::Kind;
use thaw_plugin_api::Error;
use thaw_plugin_api::model::Tensors;

/// Inputs of whole numbers.
pub(super) fn names(inputs: &Tensors) -> Vec<String> {
    let whole = inputs.iter().filter(|(_, tensor)| tensor.kind() == Kind::Int64);
    whole.map(|(name, _)| name.to_owned()).collect()
}

/// Adds what to do to an error about whole numbers where floats are needed, if the model was given such
/// inputs.
pub(super) fn explain(error: Error, whole: &[String]) -> Error {
    let text = error.to_string();
    // "mat1 and mat2 must have the same dtype, but got Long and Float", "Input type (long int) and bias …".
    let is_of_kinds = text.contains("Long") || text.contains("long int");
    if !is_of_kinds || whole.is_empty() || error.help_text().is_some() {
        return error;
    }
    let names: Vec<String> = whole.iter().map(|name| format!("`{}`", thaw_terminal::escape(name))).collect();
    let names = names.join(", ");
    error.help(format_args!(
        "whole numbers of a file stay so, as ids do ({names}): what a model computes with, write as float32, \
         levels of 0 to 255 divided by 255 (uint8 pictures of [samples, channels, height, width] become so \
         by themselves)"
    ))
}
