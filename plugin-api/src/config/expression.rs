//! Numbers that a run config may write as an expression (feature `expression`).

use std::fmt;
use std::marker::PhantomData;

use exmex::{Express, FlatEx};
use serde_json::{Value, json};

use super::{Config, ConfigError, Key};
use crate::error::{Error, Result};

/// The variables that an expression may use.
pub trait Variables: Send + 'static {
    /// Their names, in the order in which [`Expression::value`] takes them.
    const NAMES: &'static [&'static str];
}

/// One variable: `epoch`.
#[derive(Clone, Copy, Debug)]
pub struct Epoch;

impl Variables for Epoch {
    const NAMES: &'static [&'static str] = &["epoch"];
}

/// A number, or an expression of some variables: `1.5`, `"1 + 0.1 * epoch"`.
///
/// Operators `+ - * / ^ %`, functions such as `exp`, `ln`, `sqrt`, `cos`, `min`, `max` (`a min b`), constants
/// `pi` and `e`.
///
/// ```
/// use thaw_plugin_api::config::{Config, Epoch, Expression, Key};
///
/// let factor = Expression::<Epoch>::from_value(&"1 + 0.1 * epoch".into(), &Key::root()).unwrap();
/// assert_eq!(factor.value(&[5.0]).unwrap(), 1.5);
/// assert_eq!(Expression::<Epoch>::constant(2.0).value(&[5.0]).unwrap(), 2.0);
/// assert!(Expression::<Epoch>::from_value(&"1 + epohc".into(), &Key::root()).is_err());
/// ```
pub struct Expression<V> {
    form: Form,
    variables: PhantomData<fn() -> V>,
}

#[derive(Clone)]
enum Form {
    Number(f64),
    Text {
        text: String,
        // Boxed: it is 20 KB.
        parsed: Box<FlatEx<f64>>,
        /// Position in [`Variables::NAMES`] of each variable that the parsed expression takes.
        arguments: Vec<usize>,
    },
}

impl<V: Variables> Expression<V> {
    /// An expression that is a number.
    pub fn constant(number: f64) -> Self {
        Self { form: Form::Number(number), variables: PhantomData }
    }

    /// Parses an expression.
    ///
    /// # Errors
    /// A text that is no expression, or a variable that there is not.
    pub fn parse(text: &str) -> Result<Self> {
        let parsed: FlatEx<f64> = exmex::parse(text)
            .map_err(|error| Error::new(format_args!("`{text}` is no expression: {error}")))?;
        let position = |name: &String| {
            V::NAMES.iter().position(|known| known == name).ok_or_else(|| unknown::<V>(text, name))
        };
        let arguments = parsed.var_names().iter().map(position).collect::<Result<_>>()?;
        Ok(Self {
            form: Form::Text { text: text.to_owned(), parsed: Box::new(parsed), arguments },
            variables: PhantomData,
        })
    }

    /// The number for these values of the variables, in the order of [`Variables::NAMES`].
    ///
    /// # Errors
    /// A value is missing, or the result is no finite number.
    pub fn value(&self, variables: &[f64]) -> Result<f64> {
        let (text, parsed, arguments) = match &self.form {
            Form::Number(number) => return Ok(*number),
            Form::Text { text, parsed, arguments } => (text, parsed, arguments),
        };
        let values: Option<Vec<f64>> = arguments.iter().map(|&index| variables.get(index).copied()).collect();
        let values = values.ok_or_else(|| {
            Error::new(format_args!("`{text}` needs the values of {}", V::NAMES.join(", ")))
        })?;
        let value = parsed.eval(&values).map_err(|error| Error::new(format_args!("`{text}`: {error}")))?;
        if value.is_finite() {
            return Ok(value);
        }
        let given: Vec<String> =
            V::NAMES.iter().zip(variables).map(|(name, value)| format!("{name} = {value}")).collect();
        Err(Error::new(format_args!(
            "`{text}` is {value} for {}, expected a finite number",
            given.join(", ")
        )))
    }
}

fn unknown<V: Variables>(text: &str, name: &str) -> Error {
    let error = Error::new(format_args!("`{text}` uses `{name}`, expected of: {}", V::NAMES.join(", ")));
    match crate::nearest::nearest(name, V::NAMES.iter().copied()) {
        Some(nearest) => error.help(format_args!("did you mean `{nearest}`?")),
        None => error,
    }
}

impl<V> Clone for Expression<V> {
    fn clone(&self) -> Self {
        Self { form: self.form.clone(), variables: PhantomData }
    }
}

impl<V> fmt::Debug for Expression<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.form {
            Form::Number(number) => number.fmt(f),
            Form::Text { text, .. } => text.fmt(f),
        }
    }
}

impl<V: Variables> From<f64> for Expression<V> {
    fn from(number: f64) -> Self {
        Self::constant(number)
    }
}

impl<V: Variables> Config for Expression<V> {
    fn schema() -> Value {
        json!({ "type": ["number", "string"], "format": "expression", "variables": V::NAMES })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let refused =
            |expected: String| ConfigError::Value { key: key.clone(), found: value.to_string(), expected };
        let expected = || format!("a number or an expression of {}", V::NAMES.join(", "));
        match value {
            Value::String(text) => {
                Self::parse(text).map_err(|error| refused(format!("{}: {error}", expected())))
            }
            other => other.as_f64().map(Self::constant).ok_or_else(|| refused(expected())),
        }
    }

    fn to_value(&self) -> Value {
        match &self.form {
            Form::Number(number) => json!(number),
            Form::Text { text, .. } => json!(text),
        }
    }
}
