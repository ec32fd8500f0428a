//! Configurations as serde's values, for what keeps them in files of its own: checkpoints, mostly.

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;

use super::{Config, Key};

/// Writes a configuration without the keys that have no value.
///
/// # Errors
/// The serializer's own.
pub fn serialize<C: Config, S: Serializer>(config: &C, serializer: S) -> Result<S::Ok, S::Error> {
    let mut value = config.to_value();
    drop_nulls(&mut value);
    value.serialize(serializer)
}

/// Reads the configuration that stands at the key `name`.
///
/// # Errors
/// The serde form of a [`ConfigError`](super::ConfigError).
pub fn deserialize<'de, C: Config, D: Deserializer<'de>>(name: &str, deserializer: D) -> Result<C, D::Error> {
    let value = Value::deserialize(deserializer)?;
    C::from_value(&value, &Key::root().child(name)).map_err(D::Error::custom)
}

/// Takes keys without a value out of tables: left out, they mean the same.
pub fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(table) => {
            table.retain(|_, value| !value.is_null());
            table.values_mut().for_each(drop_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}
