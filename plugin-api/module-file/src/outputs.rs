//! The outputs of a file's `forward` as the model's: the chosen one first.
//!
//! The shim flattens what `forward` gives: a tensor by itself has no name, those of tuples and lists have
//! their position, those of named tuples and dictionaries their name; of nested ones both, `0.logits`.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

/// Puts the chosen output first, under `name` unless it has a name of its own. Outputs without a name are
/// `output.1`, ….
///
/// # Errors
/// There is no such output, or none at all.
pub fn arrange(mut outputs: Vec<(String, Tensor)>, chosen: Option<&str>, name: &str) -> Result<Tensors> {
    ensure!(!outputs.is_empty(), "`forward` gives no tensor");
    let position = match chosen {
        None => 0,
        Some(chosen) => outputs.iter().position(|(known, _)| known == chosen).ok_or_else(|| {
            let names: Vec<&str> = outputs.iter().map(|(known, _)| known.as_str()).collect();
            let message = match names.as_slice() {
                [""] => format!("`output` is `{chosen}`, but `forward` gives a single tensor"),
                names => format!("`forward` has no output `{chosen}`, expected one of {}", names.join(", ")),
            };
            Error::of(ErrorKind::Config, message)
        })?,
    };
    let first = outputs.remove(position);
    let named = |known: String, otherwise: String| {
        if known.starts_with(|first: char| first.is_ascii_digit()) || known.is_empty() {
            otherwise
        } else {
            known
        }
    };
    let first = Tensors::one(named(first.0, name.to_owned()), first.1);
    Ok(outputs.into_iter().fold(first, |all, (known, tensor)| {
        let otherwise = format!("output.{known}");
        all.with(named(known, otherwise), tensor)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(names: &[&str], chosen: Option<&str>) -> Result<Vec<(String, i64)>> {
        let outputs = names
            .iter()
            .enumerate()
            .map(|(index, name)| ((*name).to_owned(), Tensor::from(index as i64)))
            .collect();
        Ok(arrange(outputs, chosen, "logits")?
            .into_iter()
            .map(|(name, tensor)| (name, tensor.int64_value(&[])))
            .collect())
    }

    #[test]
    fn the_chosen_output_is_first_and_the_others_keep_their_names() {
        let owned = |pairs: &[(&str, i64)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect::<Vec<_>>()
        };
        assert_eq!(arranged(&[""], None).unwrap(), owned(&[("logits", 0)]));
        assert_eq!(arranged(&["0", "1"], None).unwrap(), owned(&[("logits", 0), ("output.1", 1)]));
        assert_eq!(arranged(&["0", "1"], Some("1")).unwrap(), owned(&[("logits", 1), ("output.0", 0)]));
        assert_eq!(arranged(&["aux", "out"], Some("out")).unwrap(), owned(&[("out", 1), ("aux", 0)]));
    }

    #[test]
    fn an_output_that_is_not_there_is_told_with_those_that_are() {
        let message = |names: &[&str], chosen| arranged(names, Some(chosen)).unwrap_err().to_string();
        assert_eq!(message(&["0", "1"], "2"), "`forward` has no output `2`, expected one of 0, 1");
        assert_eq!(message(&[""], "0"), "`output` is `0`, but `forward` gives a single tensor");
    }
}
