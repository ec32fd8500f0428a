//! A model's configuration with its architecture's own defaults.

use std::marker::PhantomData;

use thaw_plugin_api::config::{Config, ConfigError, Key};
use thaw_plugin_api::prelude::*;

use super::Architecture;

/// [`Architecture::Options`], read with [`Architecture::defaults`].
pub struct ClassifierConfig<A: Architecture>(pub A::Options, PhantomData<fn() -> A>);

impl<A: Architecture> Config for ClassifierConfig<A> {
    fn schema() -> Value {
        let mut schema = A::Options::schema();
        for (key, default) in A::defaults() {
            if let Some(property) =
                schema.get_mut("properties").and_then(|properties| properties.get_mut(&key))
            {
                property["default"] = default;
            }
        }
        schema
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        let mut value = value.clone();
        if let Some(table) = value.as_object_mut() {
            for (key, default) in A::defaults() {
                table.entry(key).or_insert(default);
            }
        }
        A::Options::from_value(&value, key).map(|options| Self(options, PhantomData))
    }

    fn to_value(&self) -> Value {
        self.0.to_value()
    }
}
