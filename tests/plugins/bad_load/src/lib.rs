//! A plugin that starts a thread, writes a file and takes its time while it is asked what it offers.

use std::time::Duration;

use thaw_plugin_api::config::{ConfigError, Key, ObjectReader};
use thaw_plugin_api::prelude::*;
use thaw_plugin_api::serde_json::json;

/// A callback whose schema is work.
struct Busy;

impl Config for Busy {
    fn schema() -> Value {
        std::thread::spawn(std::thread::park);
        std::thread::sleep(Duration::from_millis(150));
        let _ = std::fs::write(std::env::temp_dir().join("busy"), "a trace of having been here");
        json!({ "type": "object", "description": "A callback whose schema is work.", "properties": {} })
    }

    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError> {
        ObjectReader::new(value, key)?.finish()?;
        Ok(Self)
    }

    fn to_value(&self) -> Value {
        json!({})
    }
}

impl Callback for Busy {
    const ID: &'static str = "busy";
}

export_plugin!(callbacks: [Busy]);
