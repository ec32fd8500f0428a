//! Tables of strategies and callbacks without the files that they name.

use serde_json::{Map, Value};

use super::{Failure, Instance, PluginError};

/// The table that an instance was made with, each key as the instance read it: a schedule in place of the
/// file that holds it. What a checkpoint keeps, so that it needs no more than itself. The table is as it was
/// where another instance would not read the same from it.
///
/// # Errors
/// The instance cannot say its configuration.
pub fn self_contained(
    given: &Value,
    instance: &mut Instance,
    create: impl FnOnce(&Value) -> Result<Instance, PluginError>,
) -> Result<Value, Failure> {
    let read = instance.config()?;
    let keys = given.as_object().into_iter().flatten();
    let table: Map<String, Value> =
        keys.map(|(key, value)| (key.clone(), read.get(key).unwrap_or(value).clone())).collect();
    let table = Value::Object(table);
    if table == *given {
        return Ok(table);
    }
    let again = create(&table).ok().and_then(|mut again| again.config().ok());
    Ok(if again == Some(read) { table } else { given.clone() })
}
