//! Held against files that PyTorch, safetensors and Lightning wrote, and what they read from them.

mod config;
mod fitting;
mod formats;
mod hub;
mod pickles;
mod sources;
mod writing;

use super::{StateDict, WeightsError, read};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tch::{Kind, Tensor};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/models")
}

/// A file of the reference set.
fn file(name: &str) -> PathBuf {
    fixtures().join("files").join(name)
}

fn json(path: &str) -> Value {
    let text = std::fs::read(fixtures().join(path)).expect("a fixture");
    serde_json::from_slice(&text).expect("JSON")
}

/// The error of reading a file and all of its values.
fn refusal(path: &Path) -> WeightsError {
    match read(path).and_then(|found| found.verify().map(|()| found)) {
        Ok(found) => panic!("{} was read: {:?}", path.display(), found.entries()),
        Err(error) => error,
    }
}

/// Compares all that the reference says of a set of tensors: names, shapes, types, first values and norms.
fn assert_holds(found: &StateDict, content: &Value, kind: Option<&str>) {
    let content = content.as_object().expect("tensors by name");
    let at = found.path().display();
    let mut names: Vec<_> = found.names().collect();
    let mut expected: Vec<_> = content.keys().map(String::as_str).collect();
    names.sort_unstable();
    expected.sort_unstable();
    assert_eq!(names, expected, "{at}");
    for (name, tensor) in content {
        let entry = found.get(name).expect("checked above");
        let shape: Vec<i64> = serde_json::from_value(tensor["shape"].clone()).expect("a shape");
        assert_eq!(entry.shape(), shape, "{at}: {name}");
        let dtype = kind.or_else(|| tensor["dtype"].as_str()).expect("a type");
        assert_eq!(entry.kind(), kind_named(dtype), "{at}: {name}");

        let values = numbers(&entry.tensor().expect("a tensor"));
        let first: Vec<f64> = tensor["first"].as_array().expect("values").iter().map(number).collect();
        let rounding = match dtype {
            "bfloat16" => 2f64.powi(-8),
            "float16" => 2f64.powi(-11),
            _ => 1e-8,
        };
        assert!(values.len() >= first.len(), "{at}: {name}");
        for (value, expected) in values.iter().zip(&first) {
            let close = (value - expected).abs() <= rounding * expected.abs().max(1e-3);
            assert!(close, "{at}: {name}: {value} instead of {expected}");
        }
        if let Some(l2) = tensor["l2"].as_f64() {
            let found = values.iter().map(|value| value * value).sum::<f64>().sqrt();
            let close = (found - l2).abs() <= l2 * rounding.max(1e-9);
            assert!(close, "{at}: {name}: norm {found} instead of {l2}");
        }
    }
}

fn number(value: &Value) -> f64 {
    value.as_f64().or_else(|| value.as_bool().map(|value| u8::from(value).into())).expect("a number")
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Double)).expect("numbers")
}

fn kind_named(dtype: &str) -> Kind {
    match dtype {
        "float64" => Kind::Double,
        "float32" => Kind::Float,
        "float16" => Kind::Half,
        "bfloat16" => Kind::BFloat16,
        "int64" => Kind::Int64,
        "int32" => Kind::Int,
        "int16" => Kind::Int16,
        "int8" => Kind::Int8,
        "uint8" => Kind::Uint8,
        "bool" => Kind::Bool,
        other => panic!("no type {other}"),
    }
}
