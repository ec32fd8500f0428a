//! Which tensors of a batch go to which argument of the file's `forward`.

use tch::Tensor;
use thaw_plugin_api::prelude::*;

/// An argument of the file's `forward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name in Python.
    pub name: String,
    /// Whether it has no default.
    pub required: bool,
}

/// The arguments, and the run config's choice for them.
pub struct Inputs {
    arguments: Vec<Argument>,
    chosen: Vec<String>,
}

impl Inputs {
    /// Checks the choice against the arguments.
    ///
    /// # Errors
    /// More inputs are chosen than there are arguments, or fewer than are needed.
    pub fn new(arguments: Vec<Argument>, chosen: Vec<String>) -> Result<Self> {
        let inputs = Self { arguments, chosen };
        let needed = inputs.needed();
        if !inputs.chosen.is_empty() && !(needed..=inputs.arguments.len()).contains(&inputs.chosen.len()) {
            let found = inputs.chosen.join(", ");
            return Err(Error::of(
                ErrorKind::Config,
                format_args!("`inputs` names {found}, but `forward` takes {}", inputs.signature()),
            ));
        }
        Ok(inputs)
    }

    /// The tensors for the first arguments, in order.
    ///
    /// # Errors
    /// The batch has too few tensors, or not those that were chosen.
    pub fn pick<'b>(&self, batch: &'b Tensors) -> Result<Vec<&'b Tensor>> {
        if !self.chosen.is_empty() {
            return self.chosen.iter().map(|name| batch.get(name)).collect();
        }
        let named: Vec<&Tensor> =
            self.arguments.iter().map_while(|argument| batch.find(&argument.name)).collect();
        let needed = self.needed();
        if named.len() >= needed.max(1) {
            return Ok(named);
        }
        let first: Vec<&Tensor> =
            batch.iter().map(|(_, tensor)| tensor).take(needed.max(1).min(self.arguments.len())).collect();
        if first.len() < needed {
            let names: Vec<&str> = batch.iter().map(|(name, _)| name).collect();
            bail!("`forward` takes {}, the data has {}", self.signature(), names.join(", "));
        }
        Ok(first)
    }

    fn needed(&self) -> usize {
        self.arguments.iter().filter(|argument| argument.required).count()
    }

    fn signature(&self) -> String {
        let names = self
            .arguments
            .iter()
            .map(|argument| format!("{}{}", argument.name, if argument.required { "" } else { "=…" }));
        format!("({})", names.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(names: &[&str]) -> Vec<Argument> {
        let argument = |name: &&str| Argument {
            name: name.trim_end_matches('=').to_owned(),
            required: !name.ends_with('='),
        };
        names.iter().map(argument).collect()
    }

    fn batch(names: &[&str]) -> Tensors {
        names
            .iter()
            .enumerate()
            .map(|(index, name)| ((*name).to_owned(), Tensor::from(index as i64)))
            .collect()
    }

    fn picked(takes: &[&str], chosen: &[&str], has: &[&str]) -> Result<Vec<i64>> {
        let inputs = Inputs::new(arguments(takes), chosen.iter().map(|name| (*name).to_owned()).collect())?;
        Ok(inputs.pick(&batch(has))?.into_iter().map(|tensor| tensor.int64_value(&[])).collect())
    }

    #[test]
    fn inputs_go_by_name_where_the_needed_ones_are_there_else_by_position() {
        let text = ["input_ids", "token_type_ids", "attention_mask"];
        assert_eq!(
            picked(&["input_ids", "attention_mask=", "token_type_ids="], &[], &text).unwrap(),
            [0, 2, 1]
        );
        assert_eq!(picked(&["input_ids", "position_ids=", "attention_mask="], &[], &text).unwrap(), [0]);
        assert_eq!(picked(&["x"], &[], &["image"]).unwrap(), [0]);
        assert_eq!(picked(&["x="], &[], &["image"]).unwrap(), [0]);
        assert_eq!(picked(&["a", "b"], &[], &["first", "second", "third"]).unwrap(), [0, 1]);
        assert_eq!(picked(&["a", "b"], &["third", "first"], &["first", "second", "third"]).unwrap(), [2, 0]);
    }

    #[test]
    fn too_few_inputs_are_told_with_both_sides() {
        let error = picked(&["a", "b", "c="], &[], &["image"]).unwrap_err().to_string();
        assert_eq!(error, "`forward` takes (a, b, c=…), the data has image");
        let error = picked(&["a"], &["x", "y"], &["x", "y"]).unwrap_err().to_string();
        assert_eq!(error, "`inputs` names x, y, but `forward` takes (a)");
        assert!(picked(&["a"], &["z"], &["x"]).unwrap_err().to_string().contains("no tensor `z`"));
    }
}
