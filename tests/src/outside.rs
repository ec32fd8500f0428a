//! Cargo in a crate that lies outside of the workspace, as an author's does.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Finished;

/// Where crates from outside are built: with those of `examples/`, so that libtorch's glue is compiled once.
pub fn outside_target() -> PathBuf {
    crate::workspace().join("target/examples")
}

/// Runs cargo in a crate outside of the workspace and expects success. A crate without a `Cargo.lock` gets
/// the versions of an example, and all get the examples' flags: with others everything would be compiled
/// again.
pub fn cargo_outside(folder: &Path, arguments: &[&str]) -> Finished {
    let example = crate::workspace().join("examples/tiny-cnn/Cargo.lock");
    if !folder.join("Cargo.lock").exists() {
        std::fs::copy(&example, folder.join("Cargo.lock"))
            .unwrap_or_else(|error| panic!("{}: {error}", example.display()));
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(arguments).current_dir(folder);
    cargo
        .env("CARGO_TARGET_DIR", outside_target())
        .env("CARGO_ENCODED_RUSTFLAGS", flags_of_examples().join("\x1f"));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            cargo.env_remove(name);
        }
    }
    Finished::run(cargo).succeeded()
}

/// A strategy on the first plugin-api, whose sources are kept in `tests/abi`; gives its library.
pub fn old_strategy() -> PathBuf {
    cargo_outside(&crate::workspace().join("tests/abi/old-strategy"), &["build", "--quiet"]);
    outside_target().join(format!("debug/{DLL_PREFIX}old_strategy{DLL_SUFFIX}"))
}

/// The `rustflags` that cargo finds for the crates of `examples/`.
fn flags_of_examples() -> Vec<String> {
    let system = if cfg!(target_os = "macos") { "macos" } else { "linux" };
    let target = format!("cfg(target_os = \"{system}\")");
    let mut flags = Vec::new();
    for config in [".cargo/config.toml", "examples/.cargo/config.toml"] {
        let path = crate::workspace().join(config);
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let found =
            table.get("target").and_then(|targets| targets.get(&target)?.get("rustflags")?.as_array());
        flags.extend(found.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_owned));
    }
    flags
}
