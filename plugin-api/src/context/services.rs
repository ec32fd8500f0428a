//! What a host offers to a hook.

use std::ffi::c_void;

use serde_json::Value;

use crate::error::Result;

/// The other side of a [`Context`](super::Context): the host, or the fake run of [`testing`](crate::testing).
pub trait Services {
    /// Does an operation. Operations and payloads are what [`Context`](super::Context)'s methods send.
    ///
    /// # Errors
    /// An operation the host does not know, or one that cannot be done now.
    fn request(&mut self, operation: &str, payload: Value) -> Result<Value>;

    /// Handle of a parameter or buffer by name, owned by the caller.
    ///
    /// # Errors
    /// No tensor has this name, or there are no tensors at all.
    fn tensor(&mut self, name: &str) -> Result<*mut c_void>;
}
