//! The crates of the host lie in layers: each knows those below it, none one beside or above it.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// The host's crates from the bottom up; those of one row do not know each other.
const LAYERS: [&[&str]; 7] = [
    &["thaw-plugin-api", "thaw-cpp-build"],
    &["thaw-terminal"],
    &["thaw-files", "thaw-metrics", "thaw-torch"],
    &["thaw-data", "thaw-loggers", "thaw-optim", "thaw-plugins", "thaw-weights"],
    &["thaw-train"],
    &["thaw-check", "thaw-report"],
    &["thaw-host"],
];

/// Crates of others that one crate alone may know: the command line, the log's format, opening a plugin.
const KNOWN_TO_ONE: [(&str, &[&str]); 3] = [
    ("clap", &["thaw-host"]),
    ("tracing-subscriber", &["thaw-host"]),
    ("libloading", &["thaw-plugins", "thaw-torch"]),
];

/// Name of each crate of the host, with the names of what it depends on, tests left out.
fn dependencies() -> BTreeMap<String, Vec<String>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let words = ["metadata", "--format-version=1", "--no-deps", "--offline"];
    let output = Command::new(env!("CARGO")).args(words).current_dir(root).output().expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata gives JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let of_the_host = |package: &&Value| {
        let manifest = package["manifest_path"].as_str().unwrap_or_default().replace('\\', "/");
        manifest.contains("/host/crates/") || manifest.ends_with("/host/Cargo.toml")
    };
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let known = |package: &Value| {
        let all = package["dependencies"].as_array().expect("dependencies").iter();
        all.filter(|dependency| dependency["kind"] != "dev").map(name).collect()
    };
    packages.iter().filter(of_the_host).map(|package| (name(package), known(package))).collect()
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

#[test]
fn no_crate_knows_one_beside_or_above_it() {
    let crates = dependencies();
    assert!(crates.len() >= 10, "the crates of the host were not found: {crates:?}");
    for (name, known) in &crates {
        let own = layer(name).unwrap_or_else(|| panic!("`{name}` is in no layer: add it to LAYERS"));
        for other in known.iter().filter(|other| other.starts_with("thaw-")) {
            let below =
                layer(other).unwrap_or_else(|| panic!("`{name}` knows `{other}`, which is in no layer"));
            assert!(below < own, "`{name}` knows `{other}`, which lies beside or above it");
        }
    }
}

#[test]
fn the_command_line_and_the_log_are_the_programs_alone() {
    for (name, known) in dependencies() {
        for (foreign, owners) in KNOWN_TO_ONE {
            let may = owners.contains(&name.as_str());
            assert!(may || !known.iter().any(|other| other == foreign), "`{name}` depends on {foreign}");
        }
    }
}
