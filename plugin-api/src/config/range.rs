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

/// Numbers above `low`, for `range`.
pub fn above<T>(low: T) -> (Bound<T>, Bound<T>) {
    (Bound::Excluded(low), Bound::Unbounded)
}

/// Numbers above `low` and at most `high`, for `range`.
pub fn above_to<T>(low: T, high: T) -> (Bound<T>, Bound<T>) {
    (Bound::Excluded(low), Bound::Included(high))
}

/// Numbers above `low` and below `high`, for `range`.
pub fn between<T>(low: T, high: T) -> (Bound<T>, Bound<T>) {
    (Bound::Excluded(low), Bound::Excluded(high))
}

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

impl<T, R: Ranged<T>> Ranged<T> for Option<R> {
    fn numbers(&self) -> Vec<T> {
        self.iter().flat_map(R::numbers).collect()
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

/// Adds the range to a schema: of a number, of the numbers in a list, of either.
pub fn range_schema<T: Number>(mut schema: Value, range: &impl RangeBounds<T>) -> Value {
    if let Some(Value::Array(choices)) = schema.get_mut("anyOf") {
        for choice in choices {
            *choice = range_schema(choice.take(), range);
        }
        return schema;
    }
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
            expected: format!("a number of {}", limits(&range_schema(json!({}), range))),
        }),
    }
}

/// The limits of a number's schema in words, as `at least 1 and less than 10`; empty where there are none.
pub(super) fn limits(schema: &Value) -> String {
    let limit = |words: &str, key: &str| schema.get(key).map(|limit| format!("{words} {limit}"));
    let low = limit("at least", "minimum").or_else(|| limit("more than", "exclusiveMinimum"));
    let high = limit("at most", "maximum").or_else(|| limit("less than", "exclusiveMaximum"));
    [low, high].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}
