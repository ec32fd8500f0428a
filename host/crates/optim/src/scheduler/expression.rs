//! A factor as an expression of the epoch and the step.

use exmex::{Express, FlatEx};

use super::{Result, SchedulerError};

/// Names that an expression may use.
const VARIABLES: [&str; 2] = ["epoch", "step"];

/// A parsed expression.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    text: String,
    parsed: FlatEx<f64>,
    /// Position in [`VARIABLES`] of each variable, in the order in which the parsed expression takes them.
    variables: Vec<usize>,
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Expression> {
        let refuse = |problem: String| SchedulerError::Expression { expression: text.to_owned(), problem };
        let parsed: FlatEx<f64> = exmex::parse(text).map_err(|error| refuse(error.to_string()))?;
        let variables = parsed
            .var_names()
            .iter()
            .map(|name| {
                VARIABLES.iter().position(|known| known == name).ok_or_else(|| {
                    let hint = thaw_plugin_api::hint(name, VARIABLES);
                    refuse(format!("{name:?} is neither epoch nor step{hint}"))
                })
            })
            .collect::<Result<_>>()?;
        Ok(Expression { text: text.to_owned(), parsed, variables })
    }

    pub(super) fn eval(&self, epoch: f64, step: f64) -> Result<f64> {
        let values: Vec<f64> = self.variables.iter().map(|&index| [epoch, step][index]).collect();
        self.parsed.eval(&values).map_err(|error| SchedulerError::Expression {
            expression: self.text.clone(),
            problem: error.to_string(),
        })
    }
}
