//! `lambda_func`: a number, an expression of the epoch, or a function in Rust.

use std::fmt;

use thaw_plugin_api::config::{ConfigError, Epoch, Expression};
use thaw_plugin_api::prelude::*;

/// The factor on the backbone's rate, by the epoch counted from 1.
pub struct Lambda(Form);

enum Form {
    Expression(Expression<Epoch>),
    Function(Box<dyn Fn(usize) -> f64 + Send>),
}

impl Lambda {
    /// A function in Rust. In a resolved configuration it shows as `"fn"`.
    pub fn from_fn(function: impl Fn(usize) -> f64 + Send + 'static) -> Self {
        Self(Form::Function(Box::new(function)))
    }

    /// The factor.
    ///
    /// # Errors
    /// It is negative or no finite number.
    pub fn factor(&self, epoch: usize) -> Result<f64> {
        let factor = match &self.0 {
            Form::Expression(expression) => expression.value(&[epoch as f64])?,
            Form::Function(function) => function(epoch),
        };
        ensure!(factor >= 0.0 && factor.is_finite(), "`lambda_func` is {factor} for epoch = {epoch}, expected a number of at least 0");
        Ok(factor)
    }
}

impl From<f64> for Lambda {
    fn from(factor: f64) -> Self {
        Self(Form::Expression(factor.into()))
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Expression(expression) => expression.fmt(f),
            Form::Function(_) => f.write_str("fn"),
        }
    }
}

impl Config for Lambda {
    fn schema() -> Value {
        Expression::<Epoch>::schema()
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        Ok(Self(Form::Expression(Expression::from_value(value, key)?)))
    }

    fn to_value(&self) -> Value {
        match &self.0 {
            Form::Expression(expression) => expression.to_value(),
            Form::Function(_) => Value::from("fn"),
        }
    }
}
