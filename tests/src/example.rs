//! Plugins of the crates under `examples/`, built as an outside author builds them.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::PathBuf;
use std::process::Command;

/// Builds a crate of `examples/` in its own workspace; gives the folder with its library.
pub fn example(name: &str) -> PathBuf {
    let target = crate::workspace().join("target/examples");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["build", "--quiet", "--target-dir"])
        .arg(&target)
        .current_dir(crate::workspace().join("examples").join(name));
    let output = cargo.output().unwrap_or_else(|error| panic!("{cargo:?} cannot be started: {error}"));
    assert!(output.status.success(), "{cargo:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    let folder = target.join("debug");
    let library = folder.join(format!("{DLL_PREFIX}{}{DLL_SUFFIX}", name.replace('-', "_")));
    assert!(library.is_file(), "{} was not built", library.display());
    folder
}
