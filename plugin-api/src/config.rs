//! Configuration: typed, documented, checked. What `#[derive(Config)]` writes for an author.
//!
//! The derive reads the doc comments (help text), `#[config(…)]` on fields and the types:
//!
//! | attribute | meaning |
//! |---|---|
//! | `default = EXPR` | value where the key is missing; without it the key is required (`Option` defaults to none) |
//! | `range = 0.0..=1.0` | allowed numbers, any Rust range |
//! | `flatten` | the keys of a nested configuration, at this level |
//! | `state` | no key: part of what is saved in checkpoints and restored (`Default + serde`) |
//! | `skip` | no key and no state: `Default` |
//! | `check = PATH` (on the type) | function `fn(&mut Self) -> Result<()>`, called when all keys are read |
//!
//! A `PathBuf` names a file or folder: relative ones start at the working directory. A file that a model's
//! configuration names is copied into the run and its checkpoints, which then need the original no more; a
//! strategy's or callback's is not.
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

mod error;
#[cfg(feature = "expression")]
mod expression;
mod field;
mod object;
mod range;

pub use error::{ConfigError, Key};
#[cfg(feature = "expression")]
pub use expression::{Epoch, Expression, Variables};
pub use object::ObjectReader;
pub use range::Number;
use serde_json::{Map, Value};
pub use thaw_plugin_api_derive::Config;

#[doc(hidden)]
pub use range::{limit, range_schema};

/// A value that a run config can hold, with its JSON Schema. Use `#[derive(Config)]` for structs and for
/// enums without fields.
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
