//! `lambda_func`: a number, an expression of the epoch, or a function in Rust.

use std::fmt;

use thaw_plugin_api::config::{ConfigError, Epoch, Expression};
use thaw_plugin_api::prelude::*;

/// The factor on the backbone's rate, by the epoch counted from 1.
pub struct Lambda {
    expression: Expression<Epoch>,
    map: Option<Map>,
}

type Map = Box<dyn Fn(usize, f64) -> f64 + Send>;

impl Lambda {
    /// Passes the factor through a function in Rust, with the epoch it is for. The resolved configuration
    /// still shows what was configured, so that a run can go on from it.
    pub fn set_map(&mut self, map: impl Fn(usize, f64) -> f64 + Send + 'static) {
        self.map = Some(Box::new(map));
    }

    /// The factor.
    ///
    /// # Errors
    /// It is negative or no finite number.
    pub fn factor(&self, epoch: usize) -> Result<f64> {
        let written = self.expression.value(&[epoch as f64])?;
        let factor = self.map.as_ref().map_or(written, |map| map(epoch, written));
        ensure!(
            factor >= 0.0 && factor.is_finite(),
            "`lambda_func` is {factor} for epoch = {epoch}, expected a number of at least 0"
        );
        Ok(factor)
    }
}

impl From<Expression<Epoch>> for Lambda {
    fn from(expression: Expression<Epoch>) -> Self {
        Self { expression, map: None }
    }
}

impl From<f64> for Lambda {
    fn from(factor: f64) -> Self {
        Expression::from(factor).into()
    }
}

impl fmt::Debug for Lambda {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.expression.fmt(f)
    }
}

impl Config for Lambda {
    fn schema() -> Value {
        Expression::<Epoch>::schema()
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        Expression::from_value(value, key).map(Self::from)
    }

    fn to_value(&self) -> Value {
        self.expression.to_value()
    }
}
