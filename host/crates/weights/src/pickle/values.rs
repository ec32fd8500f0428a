//! Plain data of a pickle as JSON.

use pytorch_reader::PickleValue;
use serde_json::{Map, Number, Value};
use std::collections::HashSet;

/// The type name under which the reader hands on a tensor among plain data.
const TENSOR: &str = "torch.Tensor";

pub(super) fn is_tensor(value: &PickleValue) -> bool {
    matches!(value, PickleValue::Unsupported(name) if name == TENSOR)
}

/// Whether it is a dict with a tensor anywhere in it.
pub(super) fn holds_tensors(value: &PickleValue) -> bool {
    match value {
        PickleValue::Dict(entries) => entries.values().any(|value| is_tensor(value) || holds_tensors(value)),
        _ => false,
    }
}

/// A dotted name that two tensors of nested dicts and lists have, as `{"a.b": …, "a": {"b": …}}`.
pub(super) fn named_twice(root: &PickleValue) -> Option<String> {
    fn walk(value: &PickleValue, path: &str, seen: &mut HashSet<String>) -> Option<String> {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            PickleValue::Dict(entries) => {
                entries.iter().find_map(|(key, value)| walk(value, &below(key), seen))
            }
            PickleValue::List(items) => {
                items.iter().enumerate().find_map(|(at, item)| walk(item, &below(&at.to_string()), seen))
            }
            other => (is_tensor(other) && !seen.insert(path.to_owned())).then(|| path.to_owned()),
        }
    }
    walk(root, "", &mut HashSet::new())
}

/// For an error: what it is instead of tensors.
pub(super) fn describe(value: &PickleValue) -> String {
    match value {
        PickleValue::Dict(entries) if entries.is_empty() => "an empty dict".to_owned(),
        PickleValue::Dict(entries) => {
            let mut keys: Vec<_> = entries.keys().map(String::as_str).collect();
            keys.sort_unstable();
            let more = if keys.len() > 8 { ", …" } else { "" };
            keys.truncate(8);
            format!("a dict with the keys {}{more}", keys.join(", "))
        }
        PickleValue::List(_) => "a list".to_owned(),
        PickleValue::Unsupported(name) => format!("one object, {name}"),
        _ => "one value".to_owned(),
    }
}

/// What a checkpoint holds beside its state dict, which is under `wrapper`; null if the root is the state
/// dict itself.
pub(super) fn beside(root: PickleValue, wrapper: Option<&str>) -> Value {
    match (root, wrapper) {
        (PickleValue::Dict(mut entries), Some(wrapper)) => {
            entries.remove(wrapper);
            to_json(PickleValue::Dict(entries))
        }
        _ => Value::Null,
    }
}

fn to_json(value: PickleValue) -> Value {
    match value {
        PickleValue::None => Value::Null,
        PickleValue::Bool(value) => Value::Bool(value),
        PickleValue::Int(value) => Value::Number(value.into()),
        // JSON has no NaN or infinity.
        PickleValue::Float(value) => {
            Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
        }
        PickleValue::String(value) => Value::String(value),
        PickleValue::List(items) => Value::Array(items.into_iter().map(to_json).collect()),
        PickleValue::Bytes(bytes) => Value::Array(bytes.into_iter().map(Value::from).collect()),
        PickleValue::Dict(entries) => {
            let mut entries: Vec<_> = entries.into_iter().collect();
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(Map::from_iter(entries.into_iter().map(|(key, value)| (key, to_json(value)))))
        }
        PickleValue::Unsupported(name) => Value::String(format!("<{name}>")),
    }
}
