//! Configuration: typed, documented, checked. What `#[derive(Config)]` writes for an author.
//!
//! The derive reads the doc comments (help text), `#[config(…)]` on fields and the types:
//!
//! | attribute of a field | meaning |
//! |---|---|
//! | `default = EXPR` | value where the key is missing; else it is required (`Option`: none) |
//! | `range = 0.0..=1.0` | allowed numbers, any Rust range, or [`above`], [`above_to`], [`between`] |
//! | `rename = "KEY"` | the key, where it is not the field's name; on a variant: its name |
//! | `alias = "KEY"` | another spelling of the key |
//! | `flatten` | the keys of a nested configuration, at this level |
//! | `rest` | all keys that nothing else reads, as a `Map` or a `Value` of `serde_json` |
//! | `state` | no key: part of what is saved in checkpoints and restored (`Default + serde`) |
//! | `skip` | no key and no state: `Default` |
//!
//! | attribute of the type | meaning |
//! |---|---|
//! | `check = PATH` | a `fn(&mut Self) -> Result<()>`, called at the end; a [`ConfigError`] names a key |
//! | `default` | `impl Default` of the keys' defaults; where no key is required, the table may be left out |
//! | `tag = "KEY"` | of an enum: the key that says which variant; each has keys of its own or a table |
//! | `short = FIELD` | the value of this key alone may stand for the table |
//! | `definition = "NAME"` | the schema is written once, under this name: for a type that holds itself |
//! | `through = TYPE` | is read and written as that type; `From` makes both of one another |
//!
//! A `PathBuf` names a file or folder: relative ones start at the working directory. A file that a model's
//! configuration names is copied into the run and its checkpoints, which then need the original no more; a
//! strategy's or callback's is not.
//!
//! An enum without fields is one of several names. With a `tag`, it is one of several tables:
//!
//! ```
//! use thaw_plugin_api::prelude::*;
//!
//! #[derive(Config, Debug)]
//! #[config(tag = "id")]
//! enum Decay {
//!     /// Times `gamma` at every `step_size`-th epoch.
//!     Step {
//!         #[config(range = 1..)]
//!         step_size: usize,
//!         #[config(default = 0.1)]
//!         gamma: f64,
//!     },
//!     /// Never.
//!     Constant,
//! }
//!
//! let read = thaw_plugin_api::config::parse::<Decay>;
//! assert!(matches!(read(r#"{ "id": "step", "step_size": 3 }"#), Ok(Decay::Step { step_size: 3, .. })));
//! let error = read(r#"{ "id": "steep" }"#).unwrap_err().to_string();
//! assert!(error.contains("expected one of step, constant; did you mean `step`?"), "{error}");
//! let error = read(r#"{ "id": "constant", "gamma": 0.5 }"#).unwrap_err().to_string();
//! assert!(error.contains("unknown key `gamma`"), "{error}");
//! ```
//!
//! ```
//! use thaw_plugin_api::prelude::*;
//!
//! #[derive(Config, Debug)]
//! struct Warm {
//!     /// Epochs before the first layer thaws.
//!     #[config(default = 5, range = 1..)]
//!     epochs: usize,
//! }
//!
//! let warm = thaw_plugin_api::config::parse::<Warm>(r#"{ "epochs": 2 }"#).unwrap();
//! assert_eq!(warm.epochs, 2);
//! let error = thaw_plugin_api::config::parse::<Warm>(r#"{ "epoch": 2 }"#).unwrap_err();
//! assert!(error.to_string().contains("unknown key `epoch`, did you mean `epochs`?"));
//! ```
//!
//! A default outside of its range does not compile:
//!
//! ```compile_fail
//! # use thaw_plugin_api::prelude::*;
//! #[derive(Config)]
//! struct Never {
//!     #[config(default = 0, range = 1..)]
//!     patience: usize,
//! }
//! ```

mod by_group;
mod error;
#[cfg(feature = "expression")]
mod expression;
mod field;
mod object;
mod range;
mod schema;
mod with_serde;

pub use by_group::ByGroup;
#[doc(hidden)]
pub use error::Fault;
pub use error::{ConfigError, Key};
#[cfg(feature = "expression")]
pub use expression::{Epoch, Expression, Variables};
pub use object::ObjectReader;
pub use range::{Number, Ranged, above, above_to, between};
pub use schema::{Definitions, document};
use serde_json::{Map, Value};
pub use thaw_plugin_api_derive::Config;
pub use with_serde::{deserialize, drop_nulls, serialize};

#[doc(hidden)]
pub use object::{lengthen, of_empty_table};
#[doc(hidden)]
pub use range::{limit, range_schema};
#[doc(hidden)]
pub use schema::{TableSchema, TaggedSchema, short_schema};

/// A value that a run config can hold, with its JSON Schema. Use `#[derive(Config)]` for structs and enums.
///
/// Whoever implements it by hand writes the first three; the others have what suits values without keys.
pub trait Config: Sized {
    /// JSON Schema of the value: type, default, range, help text.
    fn schema() -> Value;

    /// Reads the value found at `key`.
    ///
    /// # Errors
    /// The key, what was found and what was expected.
    fn from_value(value: &Value, key: &Key) -> Result<Self, ConfigError>;

    /// The resolved value, as it goes into the run directory.
    fn to_value(&self) -> Value;

    /// The value where the key is missing; `None` makes the key required.
    fn default_value() -> Option<Self> {
        None
    }

    /// The schema written out, where [`Self::schema`] refers to a definition.
    fn inline_schema() -> Value {
        Self::schema()
    }

    /// Adds the definitions that the schema refers to.
    fn definitions(definitions: &mut Definitions) {
        let _ = definitions;
    }

    /// The keys that this table may have; none where any key will do, or where the table is of no kind.
    fn table_keys(table: &Map<String, Value>) -> Option<Vec<String>> {
        let _ = table;
        let schema = Self::inline_schema();
        let properties = schema.get("properties").and_then(Value::as_object);
        Some(properties.into_iter().flat_map(|table| table.keys().cloned()).collect())
    }

    /// Reads the keys of this configuration from a table that may have others, too: what `flatten` does.
    ///
    /// # Errors
    /// As [`Self::from_value`].
    fn read_table(reader: &mut ObjectReader<'_>) -> Result<Self, ConfigError> {
        let keys = Self::table_keys(reader.table()).unwrap_or_default();
        reader.flatten(&keys)
    }

    /// The fields marked `#[config(state)]`.
    ///
    /// # Errors
    /// A field that serde cannot write.
    fn state(&self) -> crate::Result<Map<String, Value>> {
        Ok(Map::new())
    }

    /// Restores the fields marked `#[config(state)]`; takes its entries out of `state`.
    ///
    /// # Errors
    /// A missing field, or one of another type; no field of this type is changed then.
    fn load_state(&mut self, state: &mut Map<String, Value>) -> crate::Result<()> {
        let _ = state;
        Ok(())
    }
}

/// Reads a configuration from JSON.
///
/// # Errors
/// Text that is no JSON, or the first key that does not fit.
pub fn parse<C: Config>(json: &str) -> crate::Result<C> {
    let value: Value = serde_json::from_str(json)?;
    Ok(C::from_value(&value, &Key::root())?)
}
