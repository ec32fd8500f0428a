//! One argument of the file as a value of the graph.

use std::collections::HashMap;

use serde_json::Value as Json;

use crate::graph::{Slot, Value, Whole};
use crate::json::Argument;
use crate::tensors::STRIDED;

/// A value, and the slots in it.
pub struct Operand {
    pub value: Value,
    pub slots: Vec<Slot>,
}

/// Makes a value of an argument.
///
/// # Errors
/// A kind that is not known here, or a name that nothing made before.
pub fn resolve(argument: &Argument, names: &HashMap<String, Slot>) -> Result<Operand, String> {
    let (kind, json) = argument.kind()?;
    let slot = |name: Option<&str>| {
        let name = name.ok_or_else(|| format!("a {kind} has no name"))?;
        let made = names.get(name).copied();
        made.ok_or_else(|| format!("it takes `{}`, which nothing before it makes", name.escape_debug()))
    };
    let unfit = || format!("a {kind} is {json}");
    let list = || json.as_array().ok_or_else(unfit);
    let tensor = |json: &Json| slot(json["name"].as_str());
    let value = match kind {
        "as_none" => Value::None,
        "as_bool" => Value::Bool(json.as_bool().ok_or_else(unfit)?),
        "as_int" => Value::Int(json.as_i64().ok_or_else(unfit)?),
        "as_float" => Value::Float(float(json).ok_or_else(unfit)?),
        "as_string" => Value::Text(json.as_str().ok_or_else(unfit)?.to_owned()),
        "as_device" => Value::Device,
        "as_tensor" => Value::Slot(tensor(json)?),
        "as_tensors" => {
            let slots = list()?.iter().map(|json| tensor(json).map(Some));
            Value::Tensors(slots.collect::<Result<_, String>>()?)
        }
        "as_optional_tensors" => {
            let optional = |json: &Json| match json.get("as_tensor") {
                Some(json) => tensor(json).map(Some),
                None => Ok(None),
            };
            Value::Tensors(list()?.iter().map(optional).collect::<Result<_, String>>()?)
        }
        "as_ints" => {
            let number = |json: &Json| json.as_i64().map(Whole::Number).ok_or_else(unfit);
            Value::Ints(list()?.iter().map(number).collect::<Result<_, String>>()?)
        }
        "as_floats" => {
            Value::Floats(list()?.iter().map(|json| float(json).ok_or_else(unfit)).collect::<Result<_, _>>()?)
        }
        "as_bools" => {
            let flag = |json: &Json| json.as_bool().ok_or_else(unfit);
            Value::Bools(list()?.iter().map(flag).collect::<Result<_, String>>()?)
        }
        "as_sym_int" | "as_sym_float" | "as_sym_bool" => match symbolic(json) {
            Some(constant) => constant,
            None => Value::Slot(slot(json["as_name"].as_str())?),
        },
        "as_sym_ints" => {
            let whole = |json: &Json| match symbolic(json) {
                Some(Value::Int(number)) => Ok(Whole::Number(number)),
                Some(_) => Err(unfit()),
                None => slot(json["as_name"].as_str()).map(Whole::Slot),
            };
            Value::Ints(list()?.iter().map(whole).collect::<Result<_, String>>()?)
        }
        "as_scalar_type" => Value::Int(scalar_type(json.as_i64()).ok_or_else(unfit)?),
        "as_layout" if json.as_i64() == Some(STRIDED) => Value::Int(0),
        "as_memory_format" => Value::Int(memory_format(json.as_i64()).ok_or_else(unfit)?),
        other => return Err(format!("an argument of the kind {} cannot be read here", other.escape_debug())),
    };
    Ok(Operand { slots: slots_in(&value), value })
}

fn slots_in(value: &Value) -> Vec<Slot> {
    match value {
        Value::Slot(slot) => vec![*slot],
        Value::Tensors(slots) => slots.iter().flatten().copied().collect(),
        Value::Ints(numbers) => numbers.iter().filter_map(slot_of).collect(),
        _ => Vec::new(),
    }
}

fn slot_of(number: &Whole) -> Option<Slot> {
    match number {
        Whole::Number(_) => None,
        Whole::Slot(slot) => Some(*slot),
    }
}

/// A symbolic number that is a constant after all.
fn symbolic(json: &Json) -> Option<Value> {
    if let Some(number) = json.get("as_int") {
        return number.as_i64().map(Value::Int);
    }
    if let Some(number) = json.get("as_float") {
        return float(number).map(Value::Float);
    }
    json.get("as_bool")?.as_bool().map(Value::Bool)
}

/// JSON has no infinities: the file writes them as texts.
fn float(json: &Json) -> Option<f64> {
    match json.as_str() {
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some("NaN") => Some(f64::NAN),
        Some(_) => None,
        None => json.as_f64(),
    }
}

/// The file's numbers of scalar types as libtorch's.
fn scalar_type(file: Option<i64>) -> Option<i64> {
    Some(match file? {
        number @ 1..=12 => number - 1,
        13 => 15,
        28 => 27,
        _ => return None,
    })
}

/// The file's numbers of memory formats as libtorch's.
fn memory_format(file: Option<i64>) -> Option<i64> {
    Some(match file? {
        1 => 0,
        2 => 2,
        3 => 3,
        4 => 1,
        _ => return None,
    })
}
