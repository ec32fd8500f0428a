//! Configurations written by hand that do not keep their schema.

use thaw_plugin_api::config::{ConfigError, Key};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

fn schema() -> Value {
    let rate =
        json!({ "type": "number", "minimum": 0.0, "maximum": 1.0, "default": 0.5, "description": "A rate." });
    json!({ "type": "object", "description": "A callback with a rate.", "properties": { "rate": rate } })
}

/// Reads the rate; refuses what `keeps_range` and `knows_keys` say.
fn read(
    value: &Value,
    key: &Key,
    default: f64,
    keeps_range: bool,
    knows_keys: bool,
) -> Result<f64, ConfigError> {
    let empty = Map::new();
    let table = value.as_object().unwrap_or(&empty);
    if let Some(unknown) = table.keys().find(|name| *name != "rate" && knows_keys) {
        return Err(ConfigError::UnknownKey {
            key: key.child(unknown),
            nearest: None,
            known: vec!["rate".to_owned()],
        });
    }
    let Some(rate) = table.get("rate") else { return Ok(default) };
    let number = rate.as_f64().filter(|rate| !keeps_range || (0.0..=1.0).contains(rate));
    number.ok_or_else(|| ConfigError::Value {
        key: key.child("rate"),
        found: rate.to_string(),
        expected: "a number of 0 to 1".to_owned(),
    })
}

macro_rules! fault {
    ($(#[$doc:meta])* $name:ident, $id:literal, $default:expr, $keeps_range:literal, $knows_keys:literal,
        $write:expr) => {
        $(#[$doc])*
        pub struct $name(f64);

        impl Config for $name {
            fn schema() -> Value {
                schema()
            }

            fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
                read(value, key, $default, $keeps_range, $knows_keys).map(Self)
            }

            fn to_value(&self) -> Value {
                let write: fn(f64) -> f64 = $write;
                json!({ "rate": write(self.0) })
            }
        }

        impl Callback for $name {
            const ID: &'static str = $id;
        }
    };
}

fault!(
    /// Has another default than its schema says.
    DefaultDiffers, "default-differs", 0.25, true, true, |rate| rate
);
fault!(
    /// Takes numbers that its schema excludes.
    IgnoresRange, "ignores-range", 0.5, false, true, |rate| rate
);
fault!(
    /// Passes over keys that it does not have.
    IgnoresUnknownKeys, "ignores-unknown-keys", 0.5, true, false, |rate| rate
);
fault!(
    /// Writes another number than it read, but for the default.
    WritesAnother, "writes-another", 0.5, true, true, |rate| if rate == 0.5 { rate } else { rate / 2.0 }
);

/// Panics for values that its schema allows.
#[derive(Config)]
#[config(check = divide)]
pub struct PanicsOnConfig {
    /// Parts to divide by.
    #[config(default = 2, range = 0..=4)]
    parts: usize,
    #[config(skip)]
    share: usize,
}

fn divide(config: &mut PanicsOnConfig) -> Result<()> {
    config.share = 100 / config.parts;
    Ok(())
}

impl Callback for PanicsOnConfig {
    const ID: &'static str = "panics-on-config";

    fn on_fit_start(&mut self, context: &mut Context) -> Result<()> {
        context.log("share", self.share as f64)
    }
}
