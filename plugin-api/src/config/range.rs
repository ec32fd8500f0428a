//! Ranges of numbers: the schema's minimum and maximum and the check against them.

use std::ops::{Bound, RangeBounds};

use serde_json::{Map, Value, json};

use super::{ConfigError, Key};

/// A number that a range can limit.
pub trait Number: Copy + PartialOrd {
    /// The number as JSON writes it.
    fn to_json(self) -> Value;
}

macro_rules! numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn to_json(self) -> Value {
                json!(self)
            }
        }
    )*};
}

numbers!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize, f32, f64);

/// What can be limited by a range: a number, an optional one, a list of them.
pub trait Ranged<T> {
    /// Every number in it.
    fn numbers(&self) -> Vec<T>;
}

impl<T: Number> Ranged<T> for T {
    fn numbers(&self) -> Vec<T> {
        vec![*self]
    }
}

impl<T: Number> Ranged<T> for Option<T> {
    fn numbers(&self) -> Vec<T> {
        self.iter().copied().collect()
    }
}

impl<T: Number> Ranged<T> for Vec<T> {
    fn numbers(&self) -> Vec<T> {
        self.clone()
    }
}

impl<T: Number, const N: usize> Ranged<T> for [T; N] {
    fn numbers(&self) -> Vec<T> {
        self.to_vec()
    }
}

/// Adds the range to a schema.
pub fn range_schema<T: Number>(mut schema: Value, range: &impl RangeBounds<T>) -> Value {
    let target = match schema.get_mut("items") {
        Some(Value::Object(items)) => Some(items),
        _ => schema.as_object_mut(),
    };
    if let Some(object) = target {
        insert(object, "minimum", "exclusiveMinimum", range.start_bound());
        insert(object, "maximum", "exclusiveMaximum", range.end_bound());
    }
    schema
}

fn insert<T: Number>(object: &mut Map<String, Value>, inclusive: &str, exclusive: &str, bound: Bound<&T>) {
    match bound {
        Bound::Included(limit) => object.insert(inclusive.to_owned(), limit.to_json()),
        Bound::Excluded(limit) => object.insert(exclusive.to_owned(), limit.to_json()),
        Bound::Unbounded => None,
    };
}

/// Checks a value against a range.
///
/// # Errors
/// The key, the number and the range.
pub fn limit<T: Number, V: Ranged<T>>(
    value: V,
    range: &impl RangeBounds<T>,
    key: &Key,
) -> Result<V, ConfigError> {
    // NaN is in no range, so the test is for membership, not for being outside.
    match value.numbers().into_iter().find(|number| !range.contains(number)) {
        None => Ok(value),
        Some(number) => Err(ConfigError::Value {
            key: key.clone(),
            found: number.to_json().to_string(),
            expected: describe(range),
        }),
    }
}

fn describe<T: Number>(range: &impl RangeBounds<T>) -> String {
    let low = match range.start_bound() {
        Bound::Included(limit) => Some(format!("at least {}", limit.to_json())),
        Bound::Excluded(limit) => Some(format!("more than {}", limit.to_json())),
        Bound::Unbounded => None,
    };
    let high = match range.end_bound() {
        Bound::Included(limit) => Some(format!("at most {}", limit.to_json())),
        Bound::Excluded(limit) => Some(format!("less than {}", limit.to_json())),
        Bound::Unbounded => None,
    };
    let limits: Vec<String> = [low, high].into_iter().flatten().collect();
    format!("a number of {}", limits.join(" and "))
}
