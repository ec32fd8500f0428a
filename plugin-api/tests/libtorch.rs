//! Tensors cross only between sides with the same libtorch.
#![cfg(feature = "torch")]

use std::ffi::c_void;

use serde_json::{Value, json};
use thaw_plugin_api::context::Services;
use thaw_plugin_api::prelude::*;

/// A host with another libtorch.
struct Other;

impl Services for Other {
    fn request(&mut self, operation: &str, _: Value) -> Result<Value> {
        ensure!(operation == "libtorch", "asked for {operation}");
        Ok(json!({ "libtorch": "2.4.0", "tch": "0.17.0", "cxx11_abi": false }))
    }

    fn tensor(&mut self, name: &str) -> Result<*mut c_void> {
        bail!("`{name}` was asked for all the same")
    }
}

#[test]
fn a_tensor_of_another_libtorch_is_refused() {
    let error = Context::new(Progress::default(), &mut Other).tensor("head.weight").unwrap_err().to_string();
    assert!(
        error.contains("this host has libtorch 2.4.0 (tch 0.17.0, pre-C++11 ABI): build both with the same"),
        "{error}"
    );
}
