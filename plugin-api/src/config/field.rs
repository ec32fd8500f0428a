//! Values that a configuration can hold out of the box.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::object::expectation;
use super::{Config, ConfigError, Definitions, Key};

impl Config for bool {
    fn schema() -> Value {
        json!({ "type": "boolean" })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        value.as_bool().ok_or_else(|| ConfigError::mismatch(key, value, "true or false"))
    }

    fn to_value(&self) -> Value {
        json!(self)
    }
}

macro_rules! integers {
    ($($type:ty),*) => {$(
        impl Config for $type {
            fn schema() -> Value {
                let schema = json!({ "type": "integer" });
                if <$type>::MIN == 0 { super::range_schema(schema, &(0 as $type..)) } else { schema }
            }

            fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
                let whole = value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
                let number = whole.and_then(|number| <$type>::try_from(number).ok());
                number.ok_or_else(|| ConfigError::mismatch(key, value, expectation(&Self::schema())))
            }

            fn to_value(&self) -> Value {
                json!(self)
            }
        }
    )*};
}

integers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

impl Config for f64 {
    fn schema() -> Value {
        json!({ "type": "number" })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        value.as_f64().ok_or_else(|| ConfigError::mismatch(key, value, "a number"))
    }

    fn to_value(&self) -> Value {
        json!(self)
    }
}

/// Rounded from the number that is written.
impl Config for f32 {
    fn schema() -> Value {
        f64::schema()
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let number = f64::from_value(value, key)? as f32;
        if number.is_finite() {
            Ok(number)
        } else {
            Err(ConfigError::mismatch(key, value, "a number of single precision"))
        }
    }

    fn to_value(&self) -> Value {
        json!(self)
    }
}

impl Config for String {
    fn schema() -> Value {
        json!({ "type": "string" })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        value.as_str().map(str::to_owned).ok_or_else(|| ConfigError::mismatch(key, value, "a text"))
    }

    fn to_value(&self) -> Value {
        json!(self)
    }
}

impl Config for PathBuf {
    fn schema() -> Value {
        json!({ "type": "string", "format": "path" })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        value.as_str().map(PathBuf::from).ok_or_else(|| ConfigError::mismatch(key, value, "a path"))
    }

    fn to_value(&self) -> Value {
        json!(self)
    }
}

/// Any JSON value, for what has no schema of its own.
impl Config for Value {
    fn schema() -> Value {
        json!({})
    }

    fn from_value(value: &Value, _: &Key) -> Result<Self, ConfigError> {
        Ok(value.clone())
    }

    fn to_value(&self) -> Value {
        self.clone()
    }
}

/// Keys and values as they are, for what somebody else reads.
impl Config for Map<String, Value> {
    fn schema() -> Value {
        json!({ "type": "object" })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        value.as_object().cloned().ok_or_else(|| ConfigError::mismatch(key, value, "a table"))
    }

    fn to_value(&self) -> Value {
        json!(self)
    }
}

/// What is in the box: for a type that holds itself.
impl<T: Config> Config for Box<T> {
    fn schema() -> Value {
        T::schema()
    }

    fn inline_schema() -> Value {
        T::inline_schema()
    }

    fn definitions(definitions: &mut Definitions) {
        T::definitions(definitions);
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        T::from_value(value, key).map(Self::new)
    }

    fn to_value(&self) -> Value {
        T::to_value(self)
    }

    fn default_value() -> Option<Self> {
        T::default_value().map(Self::new)
    }
}

/// `none` where the key is missing or null.
impl<T: Config> Config for Option<T> {
    fn schema() -> Value {
        let mut schema = T::schema();
        if let Some(object) = schema.as_object_mut() {
            object.insert("nullable".to_owned(), Value::Bool(true));
        }
        schema
    }

    fn definitions(definitions: &mut Definitions) {
        T::definitions(definitions);
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        if value.is_null() { Ok(None) } else { T::from_value(value, key).map(Some) }
    }

    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }

    fn default_value() -> Option<Self> {
        Some(None)
    }
}

impl<T: Config> Config for Vec<T> {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema() })
    }

    fn definitions(definitions: &mut Definitions) {
        T::definitions(definitions);
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let elements = value.as_array().ok_or_else(|| ConfigError::mismatch(key, value, "a list"))?;
        elements
            .iter()
            .enumerate()
            .map(|(index, element)| T::from_value(element, &key.element(index)))
            .collect()
    }

    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(T::to_value).collect())
    }
}

/// A list of exactly so many elements.
impl<T: Config, const N: usize> Config for [T; N] {
    fn schema() -> Value {
        json!({ "type": "array", "items": T::schema(), "minItems": N, "maxItems": N })
    }

    fn definitions(definitions: &mut Definitions) {
        T::definitions(definitions);
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let elements = Vec::from_value(value, key)?;
        elements.try_into().map_err(|_| ConfigError::mismatch(key, value, format!("a list of length {N}")))
    }

    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(T::to_value).collect())
    }
}

impl<T: Config> Config for BTreeMap<String, T> {
    fn schema() -> Value {
        json!({ "type": "object", "additionalProperties": T::schema() })
    }

    fn definitions(definitions: &mut Definitions) {
        T::definitions(definitions);
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let table = value.as_object().ok_or_else(|| ConfigError::mismatch(key, value, "a table"))?;
        table
            .iter()
            .map(|(name, value)| Ok((name.clone(), T::from_value(value, &key.child(name))?)))
            .collect()
    }

    fn to_value(&self) -> Value {
        Value::Object(
            self.iter().map(|(name, value)| (name.clone(), value.to_value())).collect::<Map<_, _>>(),
        )
    }
}
