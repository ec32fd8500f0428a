//! Plugins of two versions of rustc and of two versions of plugin-api in one process: only what has a layout
//! of its own crosses.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use thaw_plugin_api::VERSION;
use thaw_tests::{Finished, Run, case, old_strategy};

/// Names a rustc of another version than that of this test.
const OTHER_RUSTC: &str = "THAW_OTHER_RUSTC";

#[test]
fn plugins_of_another_rustc_and_of_the_first_plugin_api_train_beside_ours() {
    let Some(rustc) = std::env::var_os(OTHER_RUSTC) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{OTHER_RUSTC} is not set: `.ci/run` installs a second rustc and sets it"
        );
        eprintln!("NOT RUN: {OTHER_RUSTC} is not set, it names a rustc of another version");
        return;
    };
    let plugins =
        format!("plugins = [{:?}, {:?}, \"backbone_finetuning\", ", build_with(rustc), old_strategy());
    let run = Run::new(
        &(case("bb_steplr").replace("plugins = [", &plugins)
            + "[optimizer]\nid = \"sgd\"\nlr = 0.1\nparameters = [\"head\"]\n[trainer]\nmax_epochs = 4\n\
               [[callbacks]]\nid = \"top-down\"\nunfreeze_at_epoch = 1\nlayers_per_epoch = 1\n\
               [[callbacks]]\nid = \"backbone-finetuning\"\nmodule \
               = \"backbone.0\"\nunfreeze_backbone_at_epoch = 2\n\
               [[callbacks]]\nid = \"old-strategy\"\nunfreeze_at_epoch = 3\n"),
    );
    run.fit(&[]).succeeded();
    let plugins = run.json("plugins.json");
    let of_each = |key: &str| {
        plugins.as_array().unwrap().iter().map(|plugin| plugin[key].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(of_each("plugin_api"), [VERSION, "1.0.0", VERSION, VERSION], "{plugins}");
    let compilers = of_each("rustc");
    assert!(
        compilers[0] != compilers[1] && compilers[1..].iter().all(|ours| *ours == compilers[1]),
        "{compilers:?}"
    );
    let groups = run.groups();
    let names: Vec<&str> =
        groups[3]["groups"].as_array().unwrap().iter().filter_map(|group| group["name"].as_str()).collect();
    assert_eq!(
        names,
        ["head", "backbone.4", "backbone.0", "backbone.3", "backbone"],
        "groups of each strategy"
    );
    assert!(
        run.metrics().iter().any(|record| record["old_steps"].as_f64() > Some(0.0)),
        "the old strategy's own state and metrics"
    );
}

/// Builds `examples/top-down-finetuning` with this rustc, in a target folder of its own.
fn build_with(rustc: OsString) -> PathBuf {
    let workspace = thaw_tests::workspace();
    let target = workspace.join("target/other-rustc");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet"]).current_dir(workspace.join("examples/top-down-finetuning"));
    // The libraries of our own toolchain are on the path that cargo gives to a test.
    cargo.env("RUSTC", rustc).env("CARGO_TARGET_DIR", &target).env_remove("LD_LIBRARY_PATH");
    Finished::run(cargo).succeeded();
    target.join(format!("debug/{DLL_PREFIX}top_down_finetuning{DLL_SUFFIX}"))
}
